"""What an earlier look at a dataset found: it holds, also after a restart, while none of its files changes."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from musubi_nodes.config import cache_folder
from musubi_nodes.datasets.folder_state import FolderState
from musubi_nodes.datasets.names import MEDIA_EXTENSIONS, has_ending
from musubi_nodes.datasets.report import Report
from musubi_nodes.datasets.schema import DatasetConfig, effective
from musubi_nodes.files import write_json

SETTLED_NS = 2_000_000_000
"""What was changed a moment ago may change once more within one tick of the file system's clock."""

AT_ONCE = 2.0
"""Seconds. ComfyUI asks a loader whether its dataset has changed, and runs it right then: one look serves both."""

EDITION = "1"
"""Raised when a look finds something else in the same files."""


@dataclass(frozen=True)
class Found:
    """A dataset without errors: its fingerprint, and what is in it."""

    fingerprint: str
    report: Report


class Known:
    """One dataset, ``judged`` by rules that are part of what was found. Make it before the look whose result it keeps:
    what changes meanwhile is seen the next time then."""

    _asked: ClassVar[tuple[Path, float, str] | None] = None

    def __init__(self, config: DatasetConfig, judged: str) -> None:
        text = f"{EDITION}\0{judged}\0{config!r}"
        name = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self._file = cache_folder() / "datasets" / f"{name}.json"
        self._state = self._just_looked() or _state(config)

    def _just_looked(self) -> str:
        """What the question a moment ago has seen; it serves once."""
        asked, Known._asked = Known._asked, None
        return asked[2] if asked and asked[0] == self._file and time.monotonic() - asked[1] < AT_ONCE else ""

    def ask(self) -> Found | None:
        """The same as :meth:`find`, for the question whether the dataset has changed."""
        Known._asked = (self._file, time.monotonic(), self._state)
        return self.find()

    def find(self) -> Found | None:
        """What was found before, if it still holds."""
        if not self._state:
            return None
        try:
            kept = json.loads(self._file.read_text("utf-8"))
            if kept["state"] != self._state:
                return None
            return Found(kept["fingerprint"], Report((), tuple(kept["warnings"]), tuple(kept["datasets"])))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, found: Found) -> None:
        """For the next time; a dataset with errors is looked at again."""
        if not self._state or found.report.errors:
            return
        report = {"warnings": found.report.warnings, "datasets": found.report.datasets}
        with suppress(OSError):
            write_json(self._file, {"state": self._state, "fingerprint": found.fingerprint, **report})


def _state(config: DatasetConfig) -> str:
    """Of all folders that a look goes through; "" where more counts than names, sizes and times of the files in them: a
    JSONL names files anywhere, a control may be a folder of images, and a file may just be changing."""
    folders, seen = [], []
    for part in effective(config):
        if part.directory is None:
            return ""
        folders.append(part.directory)
        if part.control_directory is not None:
            folders.append(part.control_directory)
    try:
        state = FolderState.of(folders)
        for inside in state.folders:
            if any(inside.startswith(f"{part.control_directory}{os.sep}") for part in effective(config)):
                return ""
            seen.append(f"{inside} {_holds_media(inside)}")
    except (OSError, ValueError):
        return ""
    settled = state.newest < time.time_ns() - SETTLED_NS
    return "\0".join([state.digest, *seen]) if settled else ""


def _holds_media(folder: str) -> bool:
    """All that a look wants to know of a folder inside."""
    endings = frozenset().union(*MEDIA_EXTENSIONS.values())
    with os.scandir(folder) as entries:
        return any(has_ending(entry.name, endings) for entry in entries)
