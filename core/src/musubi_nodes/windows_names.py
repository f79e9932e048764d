r"""Names that Windows takes for something else than the file or folder that they seem to name."""

from __future__ import annotations

import os
import re

_LAST = r"(?=[\\/]|$)"
_MEANINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"^[\\/]{2}[?.]" + _LAST + r"|^[\\/]\?\?" + _LAST, "begins like the name of a device"),
        (r"^[a-z]:(?![\\/])", "counts from the current folder of a drive"),
        (r"(?<!^[a-z]):", "names a stream inside a file with its ':'"),
        (
            r"(?:^|[\\/])(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9\u00b9\u00b2\u00b3]) *(?=[.\\/]|$)",
            "names a device",
        ),
        (r"(?:^|[\\/])(?!\.\.?" + _LAST + r")[^\\/]*[ .]" + _LAST, "has a name that ends in a blank or a dot"),
    )
)
"""From "Naming Files, Paths, and Namespaces" of Microsoft's documentation."""


def meaning_on_windows(text: str) -> str:
    """What Windows takes ``text`` for, as the end of a sentence; empty if it is a plain path.

    A path from the root, or from a home folder, of another system can't be meant for Windows.
    """
    if os.name != "nt" and re.match(r"/(?!/)|~[\w.-]*(?:/|$)", text):
        return ""
    return next((meaning for pattern, meaning in _MEANINGS if pattern.search(text)), "")
