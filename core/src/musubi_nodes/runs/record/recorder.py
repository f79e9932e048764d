"""Writes a run's progress into its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress

SECONDS_BETWEEN = 1.0  # at least, between two writes


class Recorder:
    """Writes ``progress.json`` at most once a second.

    It contains the latest :class:`Progress`, ``step`` and ``steps`` of the training, which stay while another stage is
    shown, and the figures of ``gpu``.
    """

    def __init__(self, folder: RunFolder, gpu: Callable[[], Mapping[str, object]]) -> None:
        self._folder, self._gpu = folder, gpu
        self._training: dict[str, int | None] = {}
        self._latest: Progress | None = None
        self._written = 0.0

    def note(self, now: Progress) -> None:
        if now.stage == "training" and now.total:
            self._training = {"step": now.current, "steps": now.total}
        self._latest = now

    def look(self) -> None:
        if time.monotonic() - self._written >= SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        if self._latest is None:
            return
        self._folder.write_progress(self._latest, **self._training, **self._gpu())
        self._written, self._latest = time.monotonic(), None
