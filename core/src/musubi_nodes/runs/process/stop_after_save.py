"""Ends a training after its next save, on request; a cancel is the monitor's and the guard's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from musubi_nodes.files import FileStamp, is_own
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.states import is_last

AT_ONCE = 0.1  # seconds by which one stream may lag behind the other


class StopAfterSave:
    """Notices a request, then a complete save.

    The trainer saves LoRA, then state, then samples or takes a step
    (training/trainer_base.py, v0.3.4): either shows that the save is complete. Older bars
    may arrive late, so the first 0.1 s and one step don't count.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._before: set[tuple[str, FileStamp]] = set()
        self._asked = False
        self._last: str | None = None
        self._saved_at = -1
        self._since = 0.0
        self._saved: str | None = None

    def look(self) -> None:
        if not self._asked and self._folder.stop_request.exists():
            self._asked, self._before = True, set(self._saves())

    def read(self, now: Progress) -> Path | None:
        """Return the checkpoint, once its save is complete."""
        if now.checkpoint != self._last:
            if self._saved is not None and (whole := self._ends_with(self._saved)):
                return whole  # the next save has begun
            self._last, self._since = now.checkpoint, time.monotonic()
            self._saved, self._saved_at = (now.checkpoint, now.current) if self._asked else (None, -1)
        late = time.monotonic() - self._since > AT_ONCE
        if self._saved is None or not late or not _continues(now, self._saved_at):
            return None
        return self._ends_with(self._saved)

    def _ends_with(self, saved: str) -> Path | None:
        path = Path(saved)
        return path if self._is_own(path) and not is_last(self._folder, path) else None

    def _is_own(self, path: Path) -> bool:
        new = {name for name, _ in set(self._saves()) - self._before}
        return path.parent == self._folder.out and path.name in new

    def _saves(self) -> Iterator[tuple[str, FileStamp]]:
        for path in self._folder.out.glob("*.safetensors"):
            with suppress(OSError):
                if is_own(path):
                    yield path.name, FileStamp.of(path.stat())


def _continues(now: Progress, saved_at: int) -> bool:
    return now.stage == "sampling" or (now.stage == "training" and now.current > saved_at + 1)
