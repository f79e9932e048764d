"""Plugin discovery: core, bundled and installed entry points."""

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
"""Entry point group, and the pluggy project's name."""

CORE = "musubi-nodes"


@dataclass(frozen=True)
class Found:
    """A plugin found; ``load`` returns its module or object."""

    name: str
    distribution: str
    load: Callable[[], Any]

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution})"


def checkout() -> Path | None:
    """Return the clone's root, or ``None`` if installed from a wheel."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "plugins").is_dir() and (root / "core" / "src" / "musubi_nodes").is_dir() else None


def find_plugins(root: Path | None) -> list[Found]:
    """Return the core, bundled, then installed plugins.

    A bundled plugin replaces an installed one of the same distribution.
    """
    bundled = list(bundled_plugins(root)) if root else []
    known = {(found.name, _normal(found.distribution)) for found in bundled}
    installed = [found for found in installed_plugins() if (found.name, _normal(found.distribution)) not in known]
    return [core_plugin(), *bundled, *sorted(installed, key=lambda found: (_normal(found.distribution), found.name))]


def core_plugin() -> Found:
    return Found("core", CORE, EntryPoint("core", "musubi_nodes.nodes.plugin", GROUP).load)


def bundled_plugins(root: Path) -> Iterator[Found]:
    """Read ``plugins/*/pyproject.toml`` and prefer their ``src`` on the path."""
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
    for entry in entry_points(group=GROUP):
        # a damaged .dist-info has no name
        distribution = (entry.dist.name if entry.dist else None) or f"distribution of {entry.value}"
        yield Found(entry.name, distribution, entry.load)


def first_on_path(folder: Path) -> None:
    """Prefer ``folder`` to an installed wheel."""
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


def _declared(file: Path) -> tuple[str, dict[str, str]]:
    """Return distribution and entry points; ValueError if invalid."""
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
    return re.sub(r"[-_.]+", "-", distribution).lower()
