"""Tells what was refused before any run from what ended a workflow after one: other exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import run_folders


class BrokenOff(Exception):
    """``error`` came after a script had been started."""

    def __init__(self, error: MusubiError | OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def broken_off(output: Path) -> Iterator[None]:
    """An error of the block is raised as :class:`BrokenOff` where a new run below ``output`` has a log."""
    before = {folder.path for folder in run_folders(output)}
    try:
        yield
    except (MusubiError, OSError) as error:
        if any(folder.log.exists() for folder in run_folders(output) if folder.path not in before):
            raise BrokenOff(error) from error
        raise
