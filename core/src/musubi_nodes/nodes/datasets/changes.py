"""Description of changes to a dataset TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from musubi_nodes.datasets.config.messages import shown
from musubi_nodes.datasets.config.schema import FIELDS


@dataclass(frozen=True)
class Sections:
    """An entry and its ``[general]`` fallback, as plain TOML values."""

    entry: Mapping[str, Any]
    general: Mapping[str, Any]

    def value(self, key: str, default: object = None) -> Any:
        return self.entry.get(key, self.general.get(key, default))

    def pair(self, key: str) -> list[Any] | None:
        """Return the effective width and height, if set."""
        value = self.value(key, FIELDS[key].default)
        if isinstance(value, int):
            return [value, value]
        return list(value) if isinstance(value, list | tuple) and len(value) == 2 else None

    def said(self, key: str) -> str:
        if key in self.entry:
            return shown(self.entry[key])
        return f"{shown(self.general[key])} in [general]" if key in self.general else "not set"


def changes(old: Sections, new: Sections, where: str) -> list[str]:
    """List the changed keys, such as ``datasets[0].batch_size: 4 -> 1``."""
    lines = [
        f"general.{key}: {Sections(old.general, {}).said(key)} -> {shown(value)}"
        for key, value in new.general.items()
        if old.general.get(key) != value
    ]
    lines += [
        f"{where}.{key}: {old.said(key)} -> {new.said(key)}"
        for key in dict.fromkeys([*new.entry, *old.entry])
        if old.entry.get(key) != new.entry.get(key)
    ]
    return lines or [f"nothing of {where} was changed"]


def left_alone(held: Mapping[str, object], name: str) -> list[str]:
    """List unapplied widgets; ``held`` contains the file's values."""
    if not held:
        return []
    listed = ", ".join(f"{widget} {value if widget == 'kind' else shown(value)}" for widget, value in held.items())
    return [f"as in {name}, because the widgets are at their defaults: {listed} (also_set: their names, to write them)"]
