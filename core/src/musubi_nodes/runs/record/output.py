"""Splits a child's output into lines and bar updates. Any byte may come; memory stays flat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes.files import open_file

LONGEST = 16_384
"""Bytes of one piece; a longer line is cut into several."""
CHUNK = 1 << 18
"""Bytes of a log that are read at once."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)?|[ -/]?[0-~])?")
_CONTROLS = dict.fromkeys([*range(9), *range(0x0B, 0x1B), *range(0x1C, 0x20), 0x7F])
_GLUED = re.compile(r"(?<=\S)(?=(?:INFO|WARNING|ERROR|CRITICAL):[\w.]+:|Traceback \(most recent call last\))")


class LineSplitter:
    r"""Feeds on chunks of bytes, gives text pieces that ended in ``\r`` or ``\n``, however the chunks were cut.

    musubi-tuner's log lines stick to an open bar without a line break (v0.3.4): such a piece is split before ``INFO:``,
    ``WARNING:``, ``ERROR:`` and ``Traceback``.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The pieces that ``chunk`` completes."""
        *whole, rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        cut = max(len(rest) - 1, 0) // LONGEST * LONGEST
        self._rest = rest[cut:]
        for line in (*whole, rest[:cut]):
            if line:
                yield from _pieces(line)

    def finish(self) -> Iterator[str]:
        """What is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        yield from _pieces(rest)


def pieces_of(log: Path) -> Iterator[str]:
    """The pieces of a whole log, however large it is and however long its lines are."""
    splitter = LineSplitter()
    with open_file(log) as file:
        while chunk := file.read(CHUNK):
            yield from splitter.feed(chunk)
    yield from splitter.finish()


def _pieces(line: bytes) -> list[str]:
    if len(line) <= LONGEST:
        return _texts(line)
    return [text for start in range(0, len(line), LONGEST) for text in _texts(line[start : start + LONGEST])]


def _texts(piece: bytes) -> list[str]:
    text = piece.decode("utf-8", "replace")
    if not text.isprintable():
        text = _ESCAPES.sub("", text).translate(_CONTROLS)
    parts = _GLUED.split(text) if ":" in text else [text]
    return [part for part in map(str.rstrip, parts) if part]
