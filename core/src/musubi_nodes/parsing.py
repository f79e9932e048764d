"""JSON, TOML and literals of bounded size and depth; else ValueError."""

from __future__ import annotations

import json
import json.scanner
import re
import sys
from collections.abc import Callable
from math import isfinite
from types import ModuleType
from typing import Any

from musubi_nodes.budget import spend

DEEPEST = 64
AT_ONCE = 500_000  # characters that the C parser takes while no thread runs
LISTS, MOST_LISTS = 1_000, 100_000
"""Of a line and of a file: more make the garbage collector stall threads."""
_LARGEST = 1 << 1000
TOML_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*(?:""")?' r"|'''(?:[^']|'(?!''))*(?:''')?"
    r'|"(?:[^"\\\n]|\\.)*"?' r"|'[^'\n]*'?" r"|(?P<comment>#[^\n]*)", re.DOTALL
)  # fmt: skip
"""An unclosed string reaches to the end, which keeps matching linear."""
_KEY_ENDS = re.compile(r"[=,{}\[\]\n]")
_TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"


class _InterruptibleDecoder(json.JSONDecoder):
    """Decoder in Python: slower, but other threads run."""

    def __init__(self, **hooks: Any) -> None:
        super().__init__(**hooks)
        for name in ("parse_object", "parse_array", "parse_string"):
            setattr(self, name, _reporting(getattr(self, name)))
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _reporting(parse: Callable[..., Any]) -> Callable[..., Any]:
    def parsed(*arguments: Any) -> Any:
        spend()
        return parse(*arguments)

    return parsed


def parse_json(text: str, lists: int = LISTS, **hooks: Any) -> Any:
    opened = text.count("[") + text.count("{")
    if opened > lists:
        raise ValueError(f"it holds more than {lists} lists and objects")
    try:
        value = json.loads(text, cls=_InterruptibleDecoder if len(text) > AT_ONCE else None, **hooks)
    except (RecursionError, MemoryError):
        raise ValueError(_TOO_DEEP) from None
    if opened > DEEPEST:
        _check_depth(value)
    return value


def toml() -> ModuleType:
    """Return a TOML parser in Python: tomli's compiled one holds the lock."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    return tomllib


def parse_toml(text: str) -> dict[str, Any]:
    keys = _KEY_ENDS.split(TOML_STRING_OR_COMMENT.sub("", text))
    if any(key.count(".") > DEEPEST for key in keys):
        raise ValueError(_TOO_DEEP)  # parsers take quadratic time for long keys
    try:
        values: dict[str, Any] = toml().loads(text)
    except (RecursionError, MemoryError):
        raise ValueError(_TOO_DEEP) from None
    _check_depth(values)
    return values


def parse_literal(text: str) -> Any:
    import ast

    try:
        value = ast.literal_eval(text)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error) or _TOO_DEEP) from None
    _check_depth(value)
    return value


def is_number(value: object) -> bool:
    """Whether it is a finite number that fits a float."""
    if type(value) is int:
        return -_LARGEST < value < _LARGEST
    return type(value) is float and isfinite(value)


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for each in level
            if isinstance(each, dict | list | tuple)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)
