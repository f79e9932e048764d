"""Kinds of lines of a script's output, by their beginning.

Texts of a workflow have no line breaks, so none of them begins a line.
"""

from __future__ import annotations

import re

STDOUT, STDERR = "stdout", "stderr"

# Python's logging; the rest may hold a prompt
RECORD = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]{1,200}:", re.ASCII)
BAR = re.compile(
    r"(?P<label>[^%|]{0,300}: +)? *(?P<percent>\d{1,3})%(?:\|[^|]{0,400}\|)? {0,8}"
    r"(?P<n>\d{1,12})/(?P<total>\d{1,12}) ?\[(?P<inside>[^\]]{0,400})\]?",
    re.ASCII,
)
# of tqdm, without a total
COUNT = re.compile(r"(?P<label>[^%|]{0,300}: +)?(?P<n>\d{1,12})it \[(?P<inside>[^\]]{0,400})\]?", re.ASCII)


def is_from(stream: str, wanted: str) -> bool:
    """Whether the streams match; some executors have only one."""
    return stream == wanted or stream not in (STDOUT, STDERR)


def message(piece: str) -> str:
    record = RECORD.match(piece)
    return piece[record.end() :] if record else ""


def bar(piece: str) -> re.Match[str] | None:
    if "[" not in piece or RECORD.match(piece):
        return None
    return BAR.match(piece) or COUNT.match(piece)
