"""Distinguishes failed runs from refused workflows by exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import run_folders


class BrokenOff(Exception):
    def __init__(self, error: MusubiError | OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def broken_off(output: Path) -> Iterator[None]:
    """Raise :class:`BrokenOff` for errors after a new run has a log."""
    before = {folder.path for folder in run_folders(output)}
    try:
        yield
    except (MusubiError, OSError) as error:
        if any(folder.log.exists() for folder in run_folders(output) if folder.path not in before):
            raise BrokenOff(error) from error
        raise
