"""Finds plugins: those bundled with a checkout and those that are installed, by the same entry points."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import tomli

GROUP = "musubi_nodes"
"""The entry point group of plugins, and the name of the pluggy project."""

log = logging.getLogger("musubi_nodes")


@dataclass(frozen=True)
class Found:
    """A plugin that could be loaded: its name, where its module is, and which distribution it belongs to."""

    name: str
    entry: EntryPoint
    distribution: str
    bundled: bool = False


def checkout() -> Path | None:
    """The clone that this core lies in, or ``None`` where it was installed as a wheel."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "plugins").is_dir() and (root / "core" / "src" / "musubi_nodes").is_dir() else None


def find_plugins(root: Path | None) -> list[Found]:
    """Bundled plugins first, then installed ones by distribution name; of two with one name the bundled one counts."""
    bundled = list(bundled_plugins(root)) if root else []
    names = {found.name for found in bundled}
    installed = [
        Found(entry.name, entry, entry.dist.name if entry.dist else entry.name)
        for entry in entry_points(group=GROUP)
        if entry.name not in names
    ]
    return bundled + sorted(installed, key=lambda found: (found.distribution, found.name))


def bundled_plugins(root: Path) -> Iterator[Found]:
    """The entry points in ``plugins/*/pyproject.toml``; their ``src`` folders become importable.

    A plugin folder with a broken ``pyproject.toml`` is left out with one message.
    """
    for file in sorted(root.glob("plugins/*/pyproject.toml")):
        try:
            project = tomli.loads(file.read_text("utf-8"))["project"]
            entries = dict(project.get("entry-points", {}).get(GROUP, {}))
            distribution = str(project["name"])
        except (OSError, KeyError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
            log.warning("the plugin folder %s was left out: %s", file.parent.name, error)
            continue
        source = str(file.parent / "src")
        if entries and source not in sys.path:
            sys.path.insert(0, source)
        for name, value in entries.items():
            yield Found(name, EntryPoint(name, value, GROUP), distribution, bundled=True)
