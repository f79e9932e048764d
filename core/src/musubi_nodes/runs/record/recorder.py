"""Keeps how far a run is in its folder, so that every page and every restart can tell it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress

SECONDS_BETWEEN = 1.0
"""``progress.json`` is written at most this often."""


class Recorder:
    """Remembers each progress, writes the latest now and then, with what ``gpu`` tells of the run's GPUs."""

    def __init__(self, folder: RunFolder, gpu: Callable[[], Mapping[str, Any]]) -> None:
        self._folder, self._gpu = folder, gpu
        self._training: dict[str, int | None] = {}
        self._latest: Progress | None = None
        self._written = 0.0

    def note(self, now: Progress) -> None:
        """The steps of the training are kept while it loads, samples or saves."""
        if now.stage == "training" and now.total:
            self._training = {"step": now.current, "steps": now.total}
        self._latest = now

    def look(self) -> None:
        """Called often; writes now and then, also when the script has fallen silent since."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the latest progress, if there is one that was not written."""
        if self._latest is None:
            return
        self._folder.write_progress(self._latest, **self._training, **self._gpu())
        self._written, self._latest = time.monotonic(), None
