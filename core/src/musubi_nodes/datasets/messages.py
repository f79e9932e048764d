"""pydantic's findings in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from musubi_nodes.errors import did_you_mean

_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text in quotes",
    "path_type": "expected a path in quotes",
    "tuple_type": "expected a list such as [1, 25]",
    "missing": "is missing",
    "too_short": "the list is too short",
    "too_long": "the list is too long",
    "finite_number": "expected a finite number",
}
_LIMITS = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}


def in_words(where: str, error: ValidationError) -> list[str]:
    """One line for each finding, e.g. ``datasets[0].batch_size: expected a whole number, found '2'``."""
    return [_line(where, dict(detail)) for detail in error.errors(include_url=False, include_context=True)]


def _line(where: str, detail: Mapping[str, Any]) -> str:
    place = where
    for step in detail["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    return f"{place}: {_finding(detail)}"


def _finding(detail: Mapping[str, Any]) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), _shown(detail["input"])
    if kind == "value_error":
        return f"{context['error']}, found {found}"
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")]
        return f"expected one of {', '.join(choices)}, found {found}{did_you_mean(str(detail['input']), choices)}"
    if kind == "too_short" or kind == "too_long" or kind == "missing":
        return f"{_EXPECTED[kind]}: {found}" if kind != "missing" else _EXPECTED[kind]
    for name, words in _LIMITS.items():
        if name in context:
            return f"must be {words.format(context[name])}, found {found}"
    return f"{_EXPECTED.get(kind, detail['msg'])}, found {found}"


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
