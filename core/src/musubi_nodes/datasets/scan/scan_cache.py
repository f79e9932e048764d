"""Results of scans, valid while no file changes."""

from __future__ import annotations

import os
import time
from dataclasses import astuple, dataclass
from itertools import starmap
from pathlib import Path
from typing import Any

from musubi_nodes import files
from musubi_nodes.datasets.config.schema import DatasetConfig, effective
from musubi_nodes.datasets.files.folder_state import FolderState
from musubi_nodes.datasets.files.names import MEDIA_EXTENSIONS, has_ending
from musubi_nodes.datasets.scan.report import Report
from musubi_nodes.errors import Problem
from musubi_nodes.json_types import fits, pairs, text, texts
from musubi_nodes.memo import Memo

AT_ONCE = 2.0  # seconds; ComfyUI checks a loader for changes, then runs it

KINDS = {"fingerprint": text, "warnings": pairs, "datasets": texts}
EDITION = "4"  # raise when scans find something else


@dataclass(frozen=True)
class Found:
    fingerprint: str
    report: Report


class RecentScan:
    """The state seen by a check for changes, for the run right after it."""

    def __init__(self) -> None:
        self._seen: tuple[Path, str, float] | None = None

    def keep(self, file: Path, state: str) -> None:
        self._seen = (file, state, time.monotonic())

    def take(self, file: Path) -> str:
        """Return a recent state of ``file`` once, else ""."""
        seen, self._seen = self._seen, None
        return seen[1] if seen and seen[0] == file and time.monotonic() - seen[2] < AT_ONCE else ""


class ScanCache:
    """A dataset's result; ``judged`` names the rules that it depends on.

    Create it before scanning, so that later changes are noticed.
    """

    def __init__(self, config: DatasetConfig, judged: str, last: RecentScan) -> None:
        self._memo = Memo("datasets", EDITION, judged, repr(config))
        self._last = last
        self._state = last.take(self._memo.file) or _state(config)

    def ask(self) -> Found | None:
        """Like :meth:`find`, in a check for changes."""
        self._last.keep(self._memo.file, self._state)
        return self.find()

    def find(self) -> Found | None:
        kept: Any = self._memo.find(self._state) if self._state else None
        if not fits(kept, KINDS):
            return None
        warnings = tuple(starmap(Problem, kept["warnings"]))
        return Found(kept["fingerprint"], Report((), warnings, tuple(kept["datasets"])))

    def keep(self, found: Found) -> None:
        """Save, unless it has errors."""
        if not self._state or found.report.errors:
            return
        report = {"warnings": [*map(astuple, found.report.warnings)], "datasets": found.report.datasets}
        self._memo.keep({"fingerprint": found.fingerprint, **report}, {}, self._state)


def _state(config: DatasetConfig) -> str:
    """Return a digest of all folders, "" if it can't cover every change."""
    parts = effective(config)
    folders = [folder for part in parts for folder in (part.directory, part.control_directory) if folder]
    if not files.CHANGES_ARE_TIMED or any(part.directory is None for part in parts):
        return ""
    controls = tuple(f"{part.control_directory}{os.sep}" for part in parts if part.control_directory)
    try:
        state = FolderState.of(folders)
        if any(inside.startswith(controls) for inside in state.folders):
            return ""
        seen = [f"{inside} {_holds_media(inside)}" for inside in state.folders]
    except (OSError, ValueError):
        return ""
    settled = state.newest < time.time_ns() - files.SETTLED_NS
    return "\0".join([state.digest, *seen]) if settled else ""


def _holds_media(folder: str) -> bool:
    endings = frozenset().union(*MEDIA_EXTENSIONS.values())
    with os.scandir(folder) as entries:
        return any(has_ending(entry.name, endings) for entry in entries)
