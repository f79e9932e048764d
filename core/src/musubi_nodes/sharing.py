"""File operations that retry while another program holds a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

SECONDS = 2.0  # until a held file is an error
PAUSE = 0.01
REFUSES = os.name == "nt"

Result = TypeVar("Result")


def retried(call: Callable[[], Result]) -> Result:
    """Repeat ``call`` for two seconds while its file is held.

    Windows reports held files and missing rights alike (EACCES).
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
    retried(lambda: os.replace(source, target))


def remove(path: Path | str) -> None:
    with contextlib.suppress(FileNotFoundError):
        retried(lambda: os.unlink(path))  # noqa: PTH108 - also of texts


def discard(path: Path | str) -> None:
    """Remove a file if possible."""
    with contextlib.suppress(OSError):
        remove(path)


def discard_folder(path: Path) -> None:
    """Remove as much of a folder as possible."""
    with contextlib.suppress(OSError):
        retried(lambda: shutil.rmtree(path))
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        discard_folder(folder)
