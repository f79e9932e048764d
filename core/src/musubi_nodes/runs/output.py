"""Splits a child's output into lines and bar updates. Any byte may come; memory stays flat."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 16_384
"""Bytes of one line that are looked at; what is longer is cut into pieces (the log keeps all of it)."""

_BREAK = re.compile(rb"[\r\n]")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_GLUED = re.compile(r"(?<=\S)(?=(?:INFO|WARNING|ERROR|CRITICAL):[\w.]+:|Traceback \(most recent call last\))")


class LineSplitter:
    r"""Feeds on chunks of bytes, gives text pieces that ended in ``\r`` or ``\n``.

    musubi-tuner's log lines stick to an open bar without a line break (v0.3.4): such a piece is split before ``INFO:``,
    ``WARNING:``, ``ERROR:`` and ``Traceback``.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The pieces that ``chunk`` completes."""
        *whole, self._rest = _BREAK.split(self._rest + chunk)
        if len(self._rest) > LONGEST:
            whole.append(self._rest)
            self._rest = b""
        for piece in whole:
            yield from _texts(piece)

    def finish(self) -> Iterator[str]:
        """What is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        yield from _texts(rest)


def _texts(piece: bytes) -> Iterator[str]:
    if not piece:
        return
    text = _ANSI.sub("", piece[:LONGEST].decode("utf-8", "replace"))
    for part in _GLUED.split(text):
        if part.strip():
            yield part.rstrip()
