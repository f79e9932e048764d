"""Type checks of JSON values that others wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from musubi_nodes.parsing import is_number

Kind = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def whole(value: Any) -> bool:
    return type(value) is int and is_number(value)


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(text, value))


def pairs(value: Any) -> bool:
    return isinstance(value, list) and all(texts(each) and len(each) == 2 for each in value)


def table(value: Any) -> bool:
    return isinstance(value, dict)


def texts_by_name(value: Any) -> bool:
    return table(value) and all(map(text, value.values()))


def yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


def fits(found: Any, kinds: Mapping[str, Kind]) -> bool:
    """Whether ``found`` has all ``kinds``, each of its type."""
    return table(found) and all(name in found and kind(found[name]) for name, kind in kinds.items())


def fitting(found: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in kinds or kinds[name](value)}
