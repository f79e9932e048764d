"""Arguments of Python objects, typed one ``key=value`` a line."""

from __future__ import annotations

import ast
import re
from typing import Any

LONGEST = 20_000
_KEY = re.compile(r"[A-Za-z_]\w*")


def key_value_lines(text: str) -> list[str]:
    """The lines as musubi-tuner takes them; it reads each value as a Python literal or a plain word.

    Raises ValueError for a line that is no ``key=value``, has a second ``=`` (``arg.split("=")`` of
    training/trainer_base.py, v0.3.4), or a key that is there already.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters, more than {LONGEST}")
    found: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY.fullmatch(key) or not value:
            raise ValueError(f"{line[:80]!r} is not key=value")
        if "=" in value:
            raise ValueError(f"{line[:80]!r} has = in its value: musubi-tuner splits at each =")
        if key in found:
            raise ValueError(f"{key[:80]} is there twice")
        found[key] = value
    return [f"{key}={value}" for key, value in found.items()]


def literals(text: str) -> dict[str, Any]:
    """The same where each value must be a Python literal (a number, True, None, "text", (1, 2)), by key."""
    found = {}
    for line in key_value_lines(text):
        key, _, value = line.partition("=")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            raise ValueError(f"{line[:80]!r}: write text in quotes, such as name='x'") from None
    return found
