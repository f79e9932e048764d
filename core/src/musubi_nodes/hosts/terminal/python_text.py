"""Lines of Python as ruff formats them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 120
INDENT = "    "


def literal(value: Any) -> str:
    """Format a value; texts in double quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def call(head: str, arguments: Iterable[str], tail: str = "", depth: int = 0) -> str:
    """Format ``head(arguments)tail`` on one line, or with arguments on one line or on a line each."""
    items, indent = list(arguments), INDENT * depth
    closing = {"(": ")", "[": "]", "{": "}"}[head[-1]]
    if len(line := f"{indent}{head}{', '.join(items)}{closing}{tail}") <= WIDTH:
        return line
    if len(inside := f"{indent}{INDENT}{', '.join(items)}") <= WIDTH:
        return f"{indent}{head}\n{inside}\n{indent}{closing}{tail}"
    return spread(head, items, tail, depth)


def spread(head: str, arguments: Iterable[str], tail: str = "", depth: int = 0) -> str:
    """Format ``head(...)tail`` with a line for each argument."""
    indent, closing = INDENT * depth, {"(": ")", "[": "]", "{": "}"}[head[-1]]
    lines = [f"{indent}{INDENT}{each}," for each in arguments]
    return "\n".join([f"{indent}{head}", *lines, f"{indent}{closing}{tail}"])


def annotated(name: str, parts: Sequence[str], arguments: Sequence[str] = (), depth: int = 1) -> str:
    """Format ``name: Annotated[parts] = Field(arguments)``; without arguments no default."""
    indent, head = INDENT * depth, f"{name}: Annotated[{', '.join(parts)}]"
    if len(f"{indent}{head}{' = Field(' if arguments else ''}") <= WIDTH:
        return call(f"{head} = Field(", arguments, depth=depth) if arguments else f"{indent}{head}"
    if arguments and len(f"{indent}{head} = (") <= WIDTH:
        return f"{indent}{head} = (\n{call('Field(', arguments, depth=depth + 1)}\n{indent})"
    inside = f"{indent}{INDENT}{', '.join(parts)}"
    lines = inside if len(inside) <= WIDTH else "\n".join(_part(part, depth + 1) for part in parts)
    default = f" = Field({', '.join(arguments)})" if arguments else ""
    return f"{indent}{name}: Annotated[\n{lines}\n{indent}]{default}"


def _part(text: str, depth: int) -> str:
    """Format a part on its own line, or a long ``Literal`` with a line for each choice."""
    if len(line := f"{INDENT * depth}{text},") <= WIDTH:
        return line
    head, _, items = text.rstrip("]").partition("[")
    return spread(f"{head}[", items.split(", "), ",", depth)
