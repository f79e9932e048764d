"""The last lines of a growing log."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from musubi_nodes.files import is_own, open_file
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import is_bar

FIRST_LOOK = 1 << 18  # bytes at the end; mostly updates of bars
LINES, LETTERS = 12, 300


class Tail:
    """The last lines without bars, read incrementally; no links."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._splitter = LineSplitter()
        self.lines: deque[str] = deque(maxlen=LINES)

    def read(self) -> None:
        if not is_own(self._path):
            return
        try:
            with open_file(self._path, follow=False) as file:
                end = file.seek(0, 2)
                if end < self._offset:
                    self._offset, self._splitter = 0, LineSplitter()
                    self.lines.clear()
                file.seek(max(self._offset, end - FIRST_LOOK))
                pieces = self._splitter.feed(file.read(FIRST_LOOK))
                self.lines.extend(piece[:LETTERS] for piece in pieces if not is_bar(piece))
                self._offset = file.tell()
        except OSError:
            return
