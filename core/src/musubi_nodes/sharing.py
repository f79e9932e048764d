"""Windows refuses what other systems allow while a virus scanner, a backup or a player holds a file open."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

SECONDS = 2.0
"""How long a file may be held before its use fails."""
PAUSE = 0.01
REFUSES = os.name == "nt"

Result = TypeVar("Result")


def retried(call: Callable[[], Result]) -> Result:
    """Repeat ``call`` while another program holds its file, for two seconds at most.

    Windows reports a held file and a missing right alike (EACCES of the C library); other systems only the latter.
    """
    until = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except PermissionError:
            if not REFUSES or time.monotonic() >= until:
                raise
        time.sleep(PAUSE)


def replace(source: Path | str, target: Path | str) -> None:
    """Rename ``source`` to ``target``, which may exist."""
    retried(lambda: os.replace(source, target))


def remove(path: Path | str) -> None:
    """Remove a file; it may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        retried(lambda: os.unlink(path))  # noqa: PTH108 - also of texts


def discard(path: Path | str) -> None:
    """Remove a file that does no harm if it stays: clean-up never fails what was done before it."""
    with contextlib.suppress(OSError):
        remove(path)


def discard_folder(path: Path) -> None:
    """Remove a folder that does no harm if it stays, or as much of it as can be removed."""
    with contextlib.suppress(OSError):
        retried(lambda: shutil.rmtree(path))
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``parent`` for the time of the block."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        discard_folder(folder)
