"""Splits a child's output into lines and bar updates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from musubi_nodes.runs.record.lines import bar

LONGEST = 16_384  # bytes of one piece
CONTINUED = "... "  # begins further pieces of a long line
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)?|[ -/]?[0-~])?")
_CONTROLS = dict.fromkeys([*range(9), *range(0x0B, 0x1B), *range(0x1C, 0x20), 0x7F])


class LineSplitter:
    r"""Splits chunks of bytes at ``\r`` and ``\n``.

    What follows an open bar without a line break (v0.3.4) is split off.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._inside = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        *whole, rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        cut = max(len(rest) - 1, 0) // LONGEST * LONGEST
        self._rest = rest[cut:]
        for line in whole:
            yield from self._pieces(line)
            self._inside = False
        yield from self._pieces(rest[:cut])

    def finish(self) -> Iterator[str]:
        rest, self._rest = self._rest, b""
        yield from self._pieces(rest)

    def _pieces(self, line: bytes) -> Iterator[str]:
        for start in range(0, len(line), LONGEST):
            text = _text(line[start : start + LONGEST])
            if self._inside:
                yield from [CONTINUED + text] if text else []
            else:
                yield from _parts(text)
            self._inside = True


def _text(piece: bytes) -> str:
    text = piece.decode("utf-8", "replace")
    if not text.isprintable():
        text = _ESCAPES.sub("", text).translate(_CONTROLS)
    return text.rstrip()


def _parts(text: str) -> list[str]:
    found = bar(text)
    parts = [text[: found.end()], text[found.end() :].lstrip()] if found else [text]
    return [part for part in parts if part]
