"""Ending a training after its next save: asked for by a file in the run folder, by whoever can write there."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress


class AfterNextSave:
    """Notices the request, the save that follows it, and that this save is complete.

    The trainer saves LoRA, then state, and only then samples or takes the next step (training/trainer_base.py,
    v0.3.4): the first sign of either says that nothing of the save is missing. The save is told on stdout and the step
    on stderr, so that the bar of the saved step may be seen after it: one further step does not count.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._asked = False
        self._last: str | None = None
        self._saved_at = -1
        self._saved: str | None = None

    def look(self) -> None:
        """Whether somebody asked; called now and then, not for each line."""
        self._asked = self._asked or self._folder.stop_request.exists()

    def read(self, now: Progress) -> Path | None:
        """The checkpoint after which the run may end, once it is complete."""
        if now.checkpoint != self._last:
            self._last = now.checkpoint
            self._saved, self._saved_at = (now.checkpoint, now.current) if self._asked else (None, -1)
        if self._saved is None or not _goes_on(now, self._saved_at):
            return None
        return Path(self._saved)


def _goes_on(now: Progress, saved_at: int) -> bool:
    return now.stage == "sampling" or (now.stage == "training" and now.current > saved_at + 1)
