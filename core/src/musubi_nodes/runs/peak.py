"""The most GPU memory that a run held, looked at every other second."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from musubi_nodes.runs import gpu
from musubi_nodes.runs.folder import RunFolder

SECONDS = 2.0


class Peak:
    """``bytes`` is ``None`` where nothing could be seen. Without a driver it stops looking after the first time."""

    def __init__(self, folder: RunFolder, held: Callable[[Iterable[int]], int | None] | None = None) -> None:
        self.bytes: int | None = None
        self._folder, self._held = folder, held
        self._next = 0.0

    def look(self) -> None:
        """Called often; looks now and then."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        if self._held is None and not gpu.present():
            self._next = float("inf")
            return
        found = (self._held or gpu.held_by)(self._tree())
        if found is not None:
            self.bytes = max(self.bytes or 0, found)

    def _tree(self) -> list[int]:
        import psutil

        with contextlib.suppress(ValueError, TypeError, KeyError, psutil.Error):
            pid = int(self._folder.json("process.json")["pid"])
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return []
