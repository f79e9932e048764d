"""Keeps how far a run is in its folder, so that every page and every restart can tell it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from musubi_nodes.runs.hardware.gpu import memory, names_in
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress

SECONDS_BETWEEN = 1.0
"""``progress.json`` is written at most this often."""


class Recorder:
    """Remembers each progress, writes the latest now and then. ``environment`` names the GPUs that the run holds."""

    def __init__(self, folder: RunFolder, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._gpus = names_in(environment.get("CUDA_VISIBLE_DEVICES", ""))
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
        self._folder.write_progress(self._latest, **self._training, **self._memory())
        self._written, self._latest = time.monotonic(), None

    def _memory(self) -> dict[str, Any]:
        """Of several GPUs, the fullest: it is the one that runs out."""
        known = [found for name in self._gpus if (found := memory(name))]
        if not known:
            return {}
        free, total = min(known)
        return {"gpu_used": total - free, "gpu_total": total}
