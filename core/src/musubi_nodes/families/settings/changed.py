"""Settings that differ from their defaults."""

from __future__ import annotations

from musubi_nodes.families.fields import Settings, fields_of


def changed(settings: Settings, *names: str) -> list[str]:
    """Return those of ``names`` that differ from their defaults."""
    return [name for name in names if getattr(settings, name) != type(settings).model_fields[name].default]


def back_to_start(settings: Settings, name: str) -> str:
    """Describe how to reset a widget."""
    spec = next(spec for spec in fields_of(type(settings)) if spec.name == name)
    first = spec.to_widget(spec.default)
    if spec.kind == "bool":
        return f"switch {name} {'on' if first else 'off'}"
    if isinstance(first, str):
        return f"set {name} to {first}" if first else f"empty {name}"
    return f"set {name} to {first:g}"
