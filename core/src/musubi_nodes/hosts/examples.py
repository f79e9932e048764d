"""Examples in help pages, from ``locales/examples.toml``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from musubi_nodes.families.node import Node
from musubi_nodes.hosts.texts import Texts, data, package_of


@dataclass(frozen=True)
class Example:
    """Links and values of one node.

    ``takes``: input -> ``<node id>.<output>``. ``gives``: output -> ``<node id>.<input>``.
    """

    text: str
    takes: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    gives: dict[str, str] = field(default_factory=dict)


def example_of(node: type[Node]) -> Example | None:
    found = data(package_of(node), "examples.toml").get(node.id)
    return Example(**found) if found else None


def example_lines(node: type[Node], texts: Texts) -> list[str]:
    example = example_of(node)
    if not example:
        return []
    takes = (_wire(texts.label(node, name), "←", end, texts) for name, end in example.takes.items())
    values = (f"- `{name}` = `{_shown(value)}`" for name, value in example.values.items())
    gives = (_wire(texts.label(node, name), "→", end, texts) for name, end in example.gives.items())
    return [f"## {texts.of()('Example')}", "", plain(texts.of(node)(example.text)), "", *takes, *values, *gives, ""]


def _wire(label: str, arrow: str, end: str, texts: Texts) -> str:
    id, _, name = end.rpartition(".")
    other = texts.label(id, name)
    return f"- {label} {arrow} **{texts.title(id)}**" + (f" {other}" if other != label else "")


def plain(text: str) -> str:
    """Escape ``text`` for Markdown."""
    return re.sub(r"([*<])", r"\\\1", text)


def _shown(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).replace("\n", " ⏎ ")
