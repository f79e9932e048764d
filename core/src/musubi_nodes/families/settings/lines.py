"""Arguments of Python objects, typed one ``key=value`` a line."""

from __future__ import annotations

import ast
import re

LONGEST = 20_000
_KEY = re.compile(r"[A-Za-z_]\w*")


def key_value_lines(text: str) -> list[str]:
    """The lines as musubi-tuner takes them; it reads each value as a Python literal or a plain word.

    Raises ValueError for a line that is no ``key=value``.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters, more than {LONGEST}")
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY.fullmatch(key) or not value:
            raise ValueError(f"{line[:80]!r} is not key=value")
        found.append(f"{key}={value}")
    return found


def literal_lines(text: str) -> list[str]:
    """The same where each value must be a Python literal: a number, True, None, "text", (1, 2)."""
    lines = key_value_lines(text)
    for line in lines:
        try:
            ast.literal_eval(line.partition("=")[2])
        except (ValueError, SyntaxError):
            raise ValueError(f"{line[:80]!r}: write text in quotes, such as name='x'") from None
    return lines
