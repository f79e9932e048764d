"""Ends badly on demand, for the tests of whoever runs these scripts; while the variable is unset nothing happens.

``MUSUBI_MINIATURE_MISBEHAVE = "FAULT [SCRIPT...]"``: every script misbehaves, or those that are named. What happens "in
the middle" happens at the third step of a training, or at the third cache file.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

VARIABLE = "MUSUBI_MINIATURE_MISBEHAVE"
MIDDLE = 3
MEGABYTE = b"".join(b"step %09d of a very talkative script that never comes to an end\r" % n for n in range(15_000))


def begin(script: str) -> None:
    """Called by every script before its work."""
    fault, *scripts = os.environ.get(VARIABLE, "").split() or [""]
    if fault and (not scripts or script in scripts):
        name, _, value = fault.partition("=")
        FAULTS[name](value)


def _out_of_gpu_memory() -> None:
    """The words and the class are those of PyTorch 2.5 and later."""
    error = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    raise error(
        "CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1.19 GiB is "
        "free. Including non-PyTorch memory, this process has 22.44 GiB memory in use. Of the allocated memory 21.03 "
        "GiB is allocated by PyTorch, and 987.55 MiB is reserved by PyTorch but unallocated. If reserved but "
        "unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid "
        "fragmentation.  See documentation for Memory Management  "
        "(https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
    )


def _hang() -> None:
    while True:
        time.sleep(60)


def _stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("SIGTERM is ignored", flush=True)
    _hang()


def _in_the_middle(fault: Callable[[], None]) -> Callable[[str], None]:
    def begin(_: str) -> None:
        from . import fit, tensors

        done = count(1)
        for owner, name in ((fit.Fit, "learn"), (tensors, "save")):
            setattr(owner, name, _failing(getattr(owner, name), done, fault))

    return begin


def _failing(work: Callable[..., Any], done: count[int], fault: Callable[[], None]) -> Callable[..., Any]:
    def do(*args: Any) -> Any:
        if next(done) == MIDDLE:
            fault()
        return work(*args)

    return do


def _truncated(_: str) -> None:
    from . import media, tensors

    for owner, name in ((tensors, "save"), (media, "write_video"), (media, "write_image")):
        setattr(owner, name, _half(getattr(owner, name)))


def _half(save: Callable[..., None]) -> Callable[..., None]:
    def half(path: str | Path, *args: Any) -> None:
        save(path, *args)
        os.truncate(path, Path(path).stat().st_size // 2)

    return half


def _nan(_: str) -> None:
    import numpy as np

    from . import tensors

    save = tensors.save

    def poisoned(path: str, found: dict[str, tensors.Tensor], *args: Any) -> None:
        bad = {name: tensors.Tensor(np.full_like(each.values, np.nan), each.dtype) for name, each in found.items()}
        save(path, bad, *args)

    setattr(tensors, "save", poisoned)  # noqa: B010


def _clock_back(_: str) -> None:
    """Files get the times that they would have if the clock had been set back an hour when the script began."""
    from . import tensors

    save = tensors.save

    def earlier(path: str, *args: Any) -> None:
        save(path, *args)
        os.utime(path, (time.time() - 3600,) * 2)

    setattr(tensors, "save", earlier)  # noqa: B010


def _garbage(_: str) -> None:
    """Bytes that are no text in any encoding, and the controls that a terminal acts on."""
    for stream in (sys.stdout.buffer, sys.stderr.buffer):
        stream.write(bytes(range(256)) * 64 + b"\xff\xfe\x00\x1b[2J\x1b]0;owned\x07\r\n")
        stream.flush()


def _flood(megabytes: str) -> None:
    for _ in range(int(megabytes)):
        sys.stdout.buffer.write(MEGABYTE)
    sys.stdout.flush()


def _daemon(_: str) -> None:
    """Forked twice and in a session of its own; it holds our output open and ignores SIGTERM."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _hang()
        os._exit(0)
    os.wait()


def _unknown_error() -> None:
    raise ZeroDivisionError("the real cause")


FAULTS: dict[str, Callable[[str], None]] = {
    "nothing": lambda _: sys.exit(0),
    "out_of_gpu_memory": _in_the_middle(_out_of_gpu_memory),
    "killed": _in_the_middle(lambda: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))),
    "segfault": _in_the_middle(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    "unknown_error": _in_the_middle(_unknown_error),
    "vanished": _in_the_middle(lambda: os._exit(3)),
    "hang": _in_the_middle(_hang),
    "stubborn": _in_the_middle(_stubborn),
    "truncated": _truncated,
    "nan": _nan,
    "clock_back": _clock_back,
    "garbage": _garbage,
    "flood": _flood,
    "daemon": _daemon,
}
