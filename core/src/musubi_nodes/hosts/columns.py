"""Aligned text columns; East Asian letters take two cells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from unicodedata import combining, east_asian_width

LEAST = 8
CUT = ".."


def columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else not combining(letter) for letter in text)


def cut(text: str, width: int) -> str:
    if columns(text) <= width:
        return text
    kept = ""
    for letter in text:
        if columns(kept + letter) > width - len(CUT):
            break
        kept += letter
    return kept + CUT


def table(
    rows: Sequence[Sequence[str]], width: int | None, elastic: Sequence[int] = (), right: Collection[int] = ()
) -> list[str]:
    """Format ``rows`` as aligned lines.

    Columns in ``elastic`` are shortened first if ``width`` is too small; those in ``right`` are right-aligned.
    """
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    for number in elastic:
        over = sum(widths) + 2 * (len(widths) - 1) - (width or 0)
        if width and over > 0:
            widths[number] = max(min(widths[number], LEAST), widths[number] - over)
    lines = [_line(row, widths, right) for row in rows]
    return [cut(line, width) if width else line for line in lines]


def _line(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    cells = enumerate(zip(row, widths, strict=True))
    return "  ".join(_cell(text, width, number in right) for number, (text, width) in cells).rstrip()


def _cell(text: str, width: int, right: bool) -> str:
    short = cut(text, width)
    room = " " * (width - columns(short))
    return room + short if right else short + room
