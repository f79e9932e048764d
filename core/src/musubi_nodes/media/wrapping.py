"""Captions broken into lines: at blanks, and anywhere between letters of scripts that have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

ELLIPSIS = "..."
_WIDE = "\u2e80"  # Japanese, Chinese and Korean letters stand behind it
_NEVER_FIRST = frozenset("、。，．・：；？！）］｝」』】〕〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.;:!?)]}")


def wrapped(text: str, width: float, most: int, length: Callable[[str], float]) -> list[str]:
    """``text`` in at most ``most`` lines of ``width``; what does not fit ends in three dots."""
    lines: list[str] = []
    line = ""
    for word in _words(" ".join(text.split())):
        if line and length((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        while length((line + word).rstrip()) > width and len(word) > 1:  # one word that is too long for a line
            cut = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or length(line + word[:n]) <= width)
            lines.append(line + word[:cut])
            line, word = "", word[cut:]
        line += word.lstrip() if not line else word
    lines += [line.rstrip()] if line.strip() else []
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], shortened(lines[most - 1] + ELLIPSIS, width, length)]


def shortened(text: str, width: float, length: Callable[[str], float]) -> str:
    """``text`` on one line, with three dots at its end where it is too long."""
    if length(text) <= width:
        return text
    text = text.removesuffix(ELLIPSIS)
    while text and length(text.rstrip() + ELLIPSIS) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def _words(text: str) -> Iterator[str]:
    """Pieces that stay together: a word with the blank behind it, or one letter of a script without blanks together
    with signs that must not begin a line."""
    piece = ""
    for letter in text:
        breaks = bool(piece) and (piece[-1] == " " or letter >= _WIDE or piece[-1] >= _WIDE)
        if breaks and letter not in _NEVER_FIRST and letter != " ":
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece
