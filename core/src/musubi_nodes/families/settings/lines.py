"""Parser of ``key=value`` arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from musubi_nodes.errors import InvalidValue
from musubi_nodes.parsing import is_number, parse_literal

LONGEST = 20_000
_KEY = re.compile(r"[A-Za-z_]\w*")
_NEXT = re.compile(r"(?<![ \t])[ \t]+(?=[A-Za-z_]\w*=)")
"""Between two arguments of a line without quotes."""


def key_value_lines(text: str) -> list[str]:
    """Return the arguments as musubi-tuner reads them.

    Raises InvalidValue, also for a second ``=`` (``arg.split("=")`` in training/trainer_base.py, v0.3.4).
    """
    if len(text) > LONGEST:
        raise InvalidValue("text-too-long", f"it has {len(text)} characters, more than {LONGEST}")
    found: dict[str, str] = {}
    for line in _arguments(text):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY.fullmatch(key) or not value:
            raise InvalidValue("argument-not-key-value", f"{line[:80]!r} is not key=value")
        if "=" in value:
            raise InvalidValue(
                "argument-not-key-value",
                f"{line[:80]!r} has = in its value: musubi-tuner splits at each =. Write one key=value a line",
            )
        if value.endswith((",", ";")):
            raise InvalidValue(
                "argument-not-key-value",
                f"{line[:80]!r} ends in {value[-1]!r}: write only a blank or a new line between two",
            )
        if not _fits(value):
            raise InvalidValue("number-too-large", f"{line[:80]!r} holds a number that is too large")
        if key in found:
            raise InvalidValue("argument-twice", f"{key[:80]} is there twice")
        found[key] = value
    return [f"{key}={value}" for key, value in found.items()]


def _fits(value: str) -> bool:
    """Whether numbers in the value are finite floats."""
    try:
        read = parse_literal(value)
    except ValueError:
        return True
    items = read if isinstance(read, list | tuple) else [read]
    return all(is_number(item) for item in items if type(item) in (int, float))


def _arguments(text: str) -> Iterator[str]:
    for line in filter(None, map(str.strip, text.splitlines())):
        yield from [line] if "'" in line or '"' in line else _NEXT.split(line)


def literals(text: str) -> dict[str, Any]:
    """Parse the values as Python literals."""
    found = {}
    for line in key_value_lines(text):
        key, _, value = line.partition("=")
        try:
            found[key] = parse_literal(value)
        except ValueError:
            plain = value.capitalize()
            wanted = plain if plain in ("True", "False", "None") else "text in quotes, such as name='x'"
            raise InvalidValue("argument-value-invalid", f"{line[:80]!r}: write {wanted}") from None
    return found
