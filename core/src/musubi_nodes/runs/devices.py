"""One GPU run at a time per device, across all processes of this user."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def device_queue(locks: Path, device: str, waiting: Callable[[], None], poll: float = 0.2) -> Iterator[None]:
    """Hold ``device`` (``auto`` counts as the first GPU; ``cpu`` is never queued).

    While another run holds it, ``waiting`` is called every ``poll`` seconds; it may raise to give up.
    """
    if device == "cpu":
        yield
        return
    locks.mkdir(parents=True, exist_ok=True)
    number = "0" if device == "auto" else device.removeprefix("cuda:")
    lock = FileLock(locks / f"cuda-{number}.lock")
    while True:
        try:
            lock.acquire(timeout=poll)
            break
        except Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()
