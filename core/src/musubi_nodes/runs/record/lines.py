"""The kinds of lines that a script prints, known by how they begin, and the stream that each is printed to.

Texts of a workflow, names of files and captions stand in a script's output as well. They have no line breaks when they
are handed on (:func:`musubi_nodes.errors.one_line`), so that none of them begins a line.
"""

from __future__ import annotations

import re

STDOUT, STDERR = "stdout", "stderr"

RECORD = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]{1,200}:", re.ASCII)
"""The beginning of a record of Python's logging; what follows may hold a prompt."""
BAR = re.compile(
    r"(?P<label>[^%|]{0,300}: +)? *(?P<percent>\d{1,3})%(?:\|[^|]{0,400}\|)? {0,8}"
    r"(?P<n>\d{1,12})/(?P<total>\d{1,12}) ?\[(?P<inside>[^\]]{0,400})\]?",
    re.ASCII,
)
COUNT = re.compile(r"(?P<label>[^%|]{0,300}: +)?(?P<n>\d{1,12})it \[(?P<inside>[^\]]{0,400})\]?", re.ASCII)
"""Bars of tqdm, with and without a total."""


def is_from(stream: str, wanted: str) -> bool:
    """Whether a piece of ``stream`` may be one of ``wanted``: an executor may have a single stream for both."""
    return stream == wanted or stream not in (STDOUT, STDERR)


def message(piece: str) -> str:
    """What a record of Python's logging says; "" for other pieces."""
    record = RECORD.match(piece)
    return piece[record.end() :] if record else ""


def bar(piece: str) -> re.Match[str] | None:
    """The bar that begins ``piece``, with a total or without."""
    if "[" not in piece or RECORD.match(piece):
        return None
    return BAR.match(piece) or COUNT.match(piece)
