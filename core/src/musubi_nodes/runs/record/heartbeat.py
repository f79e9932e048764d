"""Detects dead hosts of runs, also on other machines.

In the same process namespace the process itself tells, elsewhere a file that changes
every two seconds. It stopped if a reader sees no change for :data:`STOPPED` seconds.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from musubi_nodes.files import RECORD, read_bytes

BEAT = 2.0  # seconds
STOPPED = 20.0  # ten beats: network drives lag
POLL = 0.2
NAME = "alive"

_seen: dict[Path, tuple[bytes, float]] = {}  # last content, and monotonic time when it was new


def this_host() -> dict[str, Any]:
    return {"host": os.getpid(), "machine": platform.node(), "place": _place(), "started": _started(os.getpid())}


@contextlib.contextmanager
def beating(folder: Path) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(folder / NAME, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_here(status: Mapping[str, Any]) -> bool:
    """Whether its processes are visible from here."""
    return status.get("place") == _place() and isinstance(status.get("host"), int)


def is_gone(folder: Path, status: Mapping[str, Any]) -> bool:
    if is_here(status):
        return _started(status["host"]) != status.get("started")
    beat, now = _content(folder / NAME), time.monotonic()
    before, since = _seen.get(folder, (None, now))
    if beat != before:
        _seen[folder] = (beat, now)
    return beat == before and now - since >= STOPPED


def has_ended(folder: Path, status: Mapping[str, Any], waiting: Callable[[], None]) -> bool:
    """Wait until the end is known; ``waiting`` may raise to give up."""
    first = _content(folder / NAME)
    while not is_gone(folder, status):
        if is_here(status) or _content(folder / NAME) != first:
            return False
        waiting()
        time.sleep(POLL)
    return True


def last_beat(folder: Path) -> float | None:
    try:
        return (folder / NAME).lstat().st_mtime
    except OSError:
        return None


def _beat(file: Path, over: threading.Event) -> None:
    """Write in place: works on a full disk, recreates no folder."""
    with contextlib.suppress(OSError):
        file.write_bytes(_count(0))
    beats = 0
    while not over.wait(BEAT):
        beats += 1
        with contextlib.suppress(OSError), file.open("r+b", 0) as opened:
            opened.write(_count(beats))


def _count(beats: int) -> bytes:
    return b"%012d\n" % beats


def _content(file: Path) -> bytes:
    try:
        return read_bytes(file, RECORD, follow=False)
    except OSError:
        return b""


@cache
def _place() -> str:
    """Identify the boot and, on Linux, the process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _started(process: int) -> str:
    """Return a process's start time, "" if gone: numbers are reused.

    Linux counts from boot, psutil by the clock, which may be set.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, IndexError):
            state, *facts = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            return "" if state in "ZX" else facts[18]
        return ""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        found = psutil.Process(process)
        return "" if found.status() == psutil.STATUS_ZOMBIE else repr(found.create_time())
    return ""
