"""Messages for pydantic's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from musubi_nodes.errors import Problem, did_you_mean, finding

_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text in quotes",
    "path_type": "expected a path in quotes",
    "tuple_type": "expected a list such as {example}",
    "missing": "is missing; expected two numbers, width and height",
    "too_short": "expected at least one number",
    "too_long": "expected {most}",
    "finite_number": "expected a finite number",
}
_EXAMPLES = {"target_frames": "[1, 25]", "fp_1f_clean_indices": "[0, 10]"}
_LIMITS = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}


def in_words(where: str, error: ValidationError) -> list[Problem]:
    """Format as ``datasets[0].batch_size: expected a whole number``."""
    details = [dict[str, Any](found) for found in error.errors(include_url=False, include_context=True)]
    broken = {detail["loc"][0] for detail in details if detail["type"] != "too_short" and detail["loc"]}
    found: dict[object, Problem] = {}
    for detail in details:
        text, field = _text(detail), detail["loc"][:1]
        if detail["type"] == "too_short" and field and field[0] in broken:
            continue  # pydantic reports "too short" besides a wrong only number
        # one number for width and height: report its error once
        found.setdefault((*field, text), Problem(finding(detail).code, f"{_place(where, detail)}: {text}"))
    return list(found.values())


def _place(where: str, detail: Mapping[str, Any]) -> str:
    place = where
    for step in detail["loc"][: 1 if detail["type"] == "missing" else None]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    return place


def _text(detail: Mapping[str, Any]) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "value_error":
        return f"{context['error']}, found {found}"
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")]
        return f"expected one of {', '.join(choices)}, found {found}{did_you_mean(str(detail['input']), choices)}"
    for name, words in _LIMITS.items():
        if name in context:
            return f"must be {words.format(context[name])}, found {found}"
    field = detail["loc"][0]
    most = f"at most {context.get('max_length')} numbers" if field in _EXAMPLES else "two numbers, width and height"
    expected = _EXPECTED.get(kind, detail["msg"]).format(example=_EXAMPLES.get(field, "[960, 544]"), most=most)
    return f"{expected}, found {found}"


def shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
