"""One GPU run at a time per device, across all processes of this user."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from musubi_nodes.errors import MusubiError

if TYPE_CHECKING:
    from filelock import FileLock


@contextlib.contextmanager
def device_queue(locks: Path, device: str, waiting: Callable[[], None], poll: float = 0.2) -> Iterator[None]:
    """Hold ``device`` (``auto`` is the first GPU that this process may use; ``cpu`` is never queued).

    While another run holds it, ``waiting`` is called every ``poll`` seconds; it may raise to give up.
    """
    if device == "cpu":
        yield
        return
    from filelock import FileLock  # not at the top: it would cost ComfyUI's start 7 ms

    lock = FileLock(locks / f"cuda-{_number(device)}.lock")
    while not _acquired(lock, poll):
        waiting()
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock, seconds: float) -> bool:
    from filelock import Timeout

    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        raise MusubiError(
            f"the lock file {lock.lock_file} cannot be used: {error}",
            why="Runs on one GPU take turns by that file.",
            fix="Make its folder writable, or set MUSUBI_NODES_CACHE to a folder on a local disk.",
        ) from error
    return True


def _number(device: str) -> str:
    """The GPU as the driver numbers it, so that two programs that see different GPUs do not wait for each other."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() if device == "auto" else ""
    return re.sub(r"[^A-Za-z0-9-]", "_", first or device.removeprefix("cuda:").replace("auto", "0"))
