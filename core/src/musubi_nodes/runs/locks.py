"""Locks across all processes of this user, exclusive or shared."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from musubi_nodes.errors import MusubiError
from musubi_nodes.sharing import discard

if TYPE_CHECKING:
    from filelock import FileLock

POLL = 0.2  # seconds between tries


@contextlib.contextmanager
def held(path: Path, waiting: Callable[[], None], poll: float = POLL) -> Iterator[None]:
    """Hold an exclusive lock, which its holder's death releases.

    ``waiting`` is called after each try and may raise to give up.
    """
    from filelock import FileLock  # imported late: it would cost ComfyUI's start 7 ms

    lock = FileLock(path)
    while not _acquired(lock, poll):
        waiting()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def reading(path: Path, waiting: Callable[[], None], poll: float = POLL) -> Iterator[None]:
    """Hold a shared lock."""
    own = path.with_name(f"{path.stem}-{uuid4().hex[:8]}.lock")
    with contextlib.ExitStack() as stack:
        with held(path, waiting, poll):
            stack.callback(discard, own)  # on Windows a waiting writer may be probing it
            stack.enter_context(held(own, waiting, poll))
        yield


@contextlib.contextmanager
def writing(path: Path, waiting: Callable[[], None], poll: float = POLL) -> Iterator[None]:
    """Hold an exclusive lock: wait for current readers, block new ones."""
    with held(path, waiting, poll):
        while _readers(path):
            waiting()
            time.sleep(poll)
        yield


def _readers(path: Path) -> bool:
    from filelock import FileLock

    for own in path.parent.glob(f"{path.stem}-*.lock"):
        lock = FileLock(own)
        if not _acquired(lock, 0):
            return True
        lock.release()
        discard(own)  # its reader was killed
    return False


def _acquired(lock: FileLock, seconds: float) -> bool:
    from filelock import Timeout

    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        raise MusubiError(
            "lock-unusable",
            f"the lock file {lock.lock_file} cannot be used: {error}",
            why="Runs that share a GPU or a cache folder use such files to take turns.",
            fix="Make its folder writable, or set MUSUBI_NODES_CACHE to a folder on a local disk.",
        ) from error
    return True
