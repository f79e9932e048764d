"""Wraps captions, also of scripts without blanks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

ELLIPSIS = "..."
_WIDE = "\u2e80"  # above it: Japanese, Chinese and Korean letters
_NEVER_FIRST = frozenset("、。，．・：；？！）］｝」』】〕〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.;:!?)]}")


def wrapped(text: str, width: float, most: int, length: Callable[[str], float]) -> list[str]:
    """Wrap to at most ``most`` lines, then an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in _words(" ".join(text.split())):
        if line and length((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while not line and len(lines) <= most and (cut := _that_fit(word, width, length)) < len(word.rstrip()):
            lines.append(word[: max(cut, 1)])
            word = word[max(cut, 1) :]
        if len(lines) > most:
            break  # the rest will not be shown
        line += word.lstrip() if not line else word
    lines += [line.rstrip()] if line.strip() else []
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], shortened(lines[most - 1] + ELLIPSIS, width, length)]


def shortened(text: str, width: float, length: Callable[[str], float]) -> str:
    if length(text) <= width:
        return text
    text = text.removesuffix(ELLIPSIS)
    return text[: _that_fit(text, width, lambda begin: length(begin.rstrip() + ELLIPSIS))].rstrip() + ELLIPSIS


def _that_fit(text: str, width: float, length: Callable[[str], float]) -> int:
    """Count letters that fit, measuring few and short texts."""
    short, long = 0, 1
    while long <= len(text) and length(text[:long]) <= width:
        short, long = long, 2 * long
    between = range(short + 1, min(long, len(text) + 1))
    return short + bisect_left(between, True, key=lambda letters: length(text[:letters]) > width)


def _words(text: str) -> Iterator[str]:
    """Split behind blanks, or between letters of scripts without blanks."""
    piece = ""
    for letter in text:
        breaks = bool(piece) and (piece[-1] == " " or letter >= _WIDE or piece[-1] >= _WIDE)
        if breaks and letter not in _NEVER_FIRST and letter != " ":
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece
