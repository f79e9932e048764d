r"""Paths that mean something else on Windows."""

from __future__ import annotations

import os
import re

_LAST = r"(?=[\\/]|$)"
_MEANINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"^[\\/]{2}[?.]" + _LAST + r"|^[\\/]\?\?" + _LAST, "begins like the name of a device"),
        (r"^[a-z]:(?![\\/])", "is relative to the current folder of a drive"),
        (r"(?<!^[a-z]):", "names a stream inside a file with its ':'"),
        (
            r"(?:^|[\\/])(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9\u00b9\u00b2\u00b3]) *(?=[.\\/]|$)",
            "names a device",
        ),
        (r"(?:^|[\\/])(?!\.\.?" + _LAST + r")[^\\/]*[ .]" + _LAST, "has a name that ends with a space or a dot"),
    )
)
"""Source: "Naming Files, Paths, and Namespaces", Microsoft."""


def meaning_on_windows(text: str) -> str:
    """Return what Windows takes ``text`` for; "" for plain paths."""
    if os.name != "nt" and re.match(r"/(?!/)|~[\w.-]*(?:/|$)", text):
        return ""
    return next((meaning for pattern, meaning in _MEANINGS if pattern.search(text)), "")
