"""Whether the program that runs a run is still there, on this machine, in another container or on another machine.

Seen from the same machine and process namespace, a process tells it. From anywhere else only the run's heartbeat does:
a file that changes every other second. Nothing compares times of two clocks: a heartbeat has stopped when whoever looks
has seen the same content for :data:`STOPPED` seconds of its own.
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

BEAT = 2.0
"""Seconds between two beats."""
STOPPED = 20.0
"""Seconds: ten beats, because a busy program and a network drive tell them late."""
POLL = 0.2
NAME = "alive"

_seen: dict[Path, tuple[bytes, float]] = {}
"""The heartbeats that were looked at: the last content, and the monotonic time at which it was new."""


def this_host() -> dict[str, Any]:
    """Which process runs a run, as ``status.json`` names it."""
    return {"host": os.getpid(), "machine": platform.node(), "place": _place(), "started": _started(os.getpid())}


@contextlib.contextmanager
def beating(folder: Path) -> Iterator[None]:
    """The run in ``folder`` has a heartbeat for the time of the block; it ends with this process, however that ends."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(folder / NAME, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_here(status: Mapping[str, Any]) -> bool:
    """Whether the processes of a run can be seen from this one; ``status`` is what ``status.json`` holds."""
    return status.get("place") == _place() and isinstance(status.get("host"), int)


def is_gone(folder: Path, status: Mapping[str, Any]) -> bool:
    """Whether the host of a run is known to be gone. One whose heartbeat was not looked at for long enough is not."""
    if is_here(status):
        return _started(status["host"]) != status.get("started")
    beat, now = _content(folder / NAME), time.monotonic()
    before, since = _seen.get(folder, (None, now))
    if beat != before:
        _seen[folder] = (beat, now)
    return beat == before and now - since >= STOPPED


def has_ended(folder: Path, status: Mapping[str, Any], waiting: Callable[[], None]) -> bool:
    """The same, looked at until it is known; ``waiting`` is called meanwhile and may raise to give up."""
    first = _content(folder / NAME)
    while not is_gone(folder, status):
        if is_here(status) or _content(folder / NAME) != first:
            return False
        waiting()
        time.sleep(POLL)
    return True


def last_beat(folder: Path) -> float | None:
    """When the host of a run was last seen alive, in seconds since 1970; ``None`` if there is no heartbeat."""
    try:
        return (folder / NAME).lstat().st_mtime
    except OSError:
        return None


def _beat(file: Path, over: threading.Event) -> None:
    """Written in place, as only a change counts: a full disk has room for it, and no deleted folder comes back."""
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
    """Where a process number means one process: a start of the machine, and on Linux a namespace (a container has its
    own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _started(process: int) -> str:
    """When a process was started, so that a number that was given again is another one; "" where it is gone.

    Linux tells it since the machine's start: the time of day that psutil makes of it changes with the clock.
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
