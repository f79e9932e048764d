"""Finds plugins: the core's own, those bundled with a checkout, and installed ones, all by entry points."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from musubi_nodes.files import CONFIG, read_text
from musubi_nodes.parsing import parse_toml
from musubi_nodes.plugins.errors import PluginError

GROUP = "musubi_nodes"
"""The entry point group of plugins, and the name of the pluggy project."""

CORE = "musubi-nodes"
"""The core's distribution."""


@dataclass(frozen=True)
class Found:
    """A plugin that could be loaded. ``load`` returns its module (or object), or raises what is wrong with it."""

    name: str
    distribution: str
    load: Callable[[], Any]

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution})"


def checkout() -> Path | None:
    """The clone that this core lies in, or ``None`` where it was installed as a wheel."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "plugins").is_dir() and (root / "core" / "src" / "musubi_nodes").is_dir() else None


def find_plugins(root: Path | None) -> list[Found]:
    """The core, the plugins bundled with ``root``, then installed ones by distribution name.

    An installed distribution that is also bundled is the same plugin twice: the bundled one counts.
    """
    bundled = list(bundled_plugins(root)) if root else []
    known = {(found.name, _normal(found.distribution)) for found in bundled}
    installed = [found for found in installed_plugins() if (found.name, _normal(found.distribution)) not in known]
    return [core_plugin(), *bundled, *sorted(installed, key=lambda found: (_normal(found.distribution), found.name))]


def core_plugin() -> Found:
    """The core's own nodes stand above this layer: they are named like any plugin's, not imported."""
    return Found("core", CORE, EntryPoint("core", "musubi_nodes.nodes.plugin", GROUP).load)


def bundled_plugins(root: Path) -> Iterator[Found]:
    """The entry points in ``plugins/*/pyproject.toml``; their ``src`` folders become importable, before all others."""
    for file in sorted(root.glob("plugins/*/pyproject.toml")):
        try:
            distribution, entries = _declared(file)
        except (OSError, ValueError) as error:
            yield Found(file.parent.name, f"plugins/{file.parent.name}", _raising(f"its {file.name} is wrong: {error}"))
            continue
        if entries:
            first_on_path(file.parent / "src")
        for name, value in entries.items():
            yield Found(name, distribution, EntryPoint(name, value, GROUP).load)


def installed_plugins() -> Iterator[Found]:
    """The entry points of all installed distributions."""
    for entry in entry_points(group=GROUP):
        # a damaged .dist-info has no name
        distribution = (entry.dist.name if entry.dist else None) or f"distribution of {entry.value}"
        yield Found(entry.name, distribution, entry.load)


def first_on_path(folder: Path) -> None:
    """Import from ``folder`` before any other: an older wheel of the same package may be installed."""
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


def _declared(file: Path) -> tuple[str, dict[str, str]]:
    """Distribution and entry points as pip would read them; ValueError where they are not what they should be."""
    project = parse_toml(read_text(file, CONFIG)).get("project")
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise ValueError("it has no [project] with a name")
    groups = project.get("entry-points", {})
    entries = groups.get(GROUP, {}) if isinstance(groups, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise ValueError(f'[project.entry-points.{GROUP}] must hold lines like  my_plugin = "my_package"')
    return project["name"], entries


def _raising(message: str) -> Callable[[], Any]:
    def load() -> Any:
        raise PluginError("pyproject-invalid", message)

    return load


def _normal(distribution: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
