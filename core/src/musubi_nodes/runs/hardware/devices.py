"""Which GPUs a run uses, and one GPU run at a time per device, across all processes of this user."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.locks import held
from musubi_nodes.saying import say


def gpus(device: str, count: int = 1, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The ``count`` GPUs of ``device`` as the driver names them; none for ``cpu``.

    ``auto`` begins with the first GPU that this process may use, ``cuda:N`` with the one that it sees as number N: an
    inherited CUDA_VISIBLE_DEVICES renumbers them. A :class:`MusubiError` where there are not so many.
    """
    if device == "cpu":
        return ()
    first = 0 if device == "auto" else int(device.removeprefix("cuda:"))
    visible = _visible(environment)
    wanted = range(first, first + count)
    there = [str(number) for number in range(_driver_count() or wanted.stop)] if visible is None else visible
    if wanted.stop > len(there):
        shows = say("The driver") if visible is None else "CUDA_VISIBLE_DEVICES"
        raise MusubiError(
            f"there is no GPU {device}" if count == 1 else f"there are no {count} GPUs from {device} on",
            why=say(
                "{shows} shows this program {count}: {names}.",
                shows=shows,
                count=len(there),
                names=", ".join(there) or say("none"),
            ),
            fix="Choose another device, or fewer; `musubi-nodes doctor` lists them.",
        )
    return tuple(there[number] for number in wanted)


def _driver_count() -> int | None:
    """How many GPUs the driver has; ``None``: it cannot be asked (AMD, or none at all)."""
    with gpu.nvml() as library:
        return None if library is None else int(library.nvmlDeviceGetCount())


def _visible(environment: Mapping[str, str]) -> list[str] | None:
    """The inherited list; ``None`` where all GPUs may be used. CUDA itself stops reading at a number below 0."""
    text = environment.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    end = next((number for number, name in enumerate(names) if not name or name.startswith("-")), len(names))
    return names[:end]


@contextlib.contextmanager
def device_queue(locks: Path, devices: Sequence[str], waiting: Callable[[], None], poll: float = 0.2) -> Iterator[None]:
    """Hold all ``devices`` (driver's names; none for the CPU, which is never queued).

    While another run holds one, ``waiting`` is called every ``poll`` seconds; it may raise to give up. They are taken
    in one order everywhere, so that two runs with several GPUs never wait for each other.
    """
    with contextlib.ExitStack() as stack:
        for name in sorted(devices):
            stack.enter_context(held(locks / f"cuda-{re.sub(r'[^A-Za-z0-9-]', '_', name)}.lock", waiting, poll))
        yield
