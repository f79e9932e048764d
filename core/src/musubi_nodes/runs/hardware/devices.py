"""Choice and locking of GPUs across processes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate
from musubi_nodes.runs.hardware.visible import selecting, visible_gpus
from musubi_nodes.runs.locks import held


def gpus(device: str, count: int = 1, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the driver's names of ``count`` GPUs; none for ``cpu``.

    ``cuda:N`` counts within an inherited CUDA_VISIBLE_DEVICES.
    """
    if device == "cpu":
        return ()
    first = 0 if device == "auto" else int(device.removeprefix("cuda:"))
    wanted = range(first, first + count)
    variable = selecting(environment)
    there = visible_gpus(environment, variable, wanted.stop)
    if wanted.stop > len(there):
        raise MusubiError(
            "gpu-missing",
            f"there is no GPU {device}" if count == 1 else f"there are no {count} GPUs from {device} on",
            why=translate(
                "{shows} shows this program {count}: {names}.",
                shows=variable or translate("The driver"),
                count=len(there),
                names=", ".join(there) or translate("none"),
            ),
            fix="Choose another device, or fewer devices; `musubi-nodes doctor` lists them.",
        )
    return tuple(there[number] for number in wanted)


@contextlib.contextmanager
def device_queue(locks: Path, devices: Sequence[str], waiting: Callable[[], None], poll: float = 0.2) -> Iterator[None]:
    """Lock all ``devices``, sorted to prevent deadlocks."""
    with contextlib.ExitStack() as stack:
        for name in sorted(devices):
            stack.enter_context(held(locks / f"cuda-{re.sub(r'[^A-Za-z0-9-]', '_', name)}.lock", waiting, poll))
        yield
