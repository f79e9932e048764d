"""The end of a growing log, as lines or as a text."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from itertools import pairwise
from pathlib import Path

from musubi_nodes.files import is_own, open_file
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import is_bar, is_update

FIRST_LOOK = 1 << 18  # bytes at the end; mostly updates of bars
LINES, LETTERS = 12, 300
CHUNK = 1 << 20
MOST = 4 << 20  # bytes of a text; tiny lines take a second per million


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


def log_text(path: Path) -> Generator[str, None, None]:
    splitter, held = LineSplitter(), ""
    with open_file(path) as file:
        if skipped := max(os.fstat(file.fileno()).st_size - MOST, 0):
            file.seek(skipped)
            yield f"[the first {skipped} bytes are left out: {path}]\n"
        while chunk := file.read(CHUNK):
            *done, held = _without_replaced([held, *splitter.feed(chunk)])
            yield _text(done)
    yield _text(_without_replaced([held, *splitter.finish()]))


def _without_replaced(pieces: list[str]) -> list[str]:
    return [one for one, later in pairwise(pieces) if one and not is_update(one, later)] + pieces[-1:]


def _text(pieces: Iterable[str]) -> str:
    return "".join(f"{piece}\n" for piece in pieces if piece)
