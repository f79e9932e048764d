"""The bundled plugins use the public door only: the core knows none of them, and they know only what authors may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from musubi_nodes import families
from musubi_nodes.config import Config
from musubi_nodes.plugins.discovery import GROUP, find_plugins
from musubi_nodes.plugins.manager import Plugins

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "src" / "musubi_nodes"
FOLDERS = [file.parent for file in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
DOOR = {"musubi_nodes": {"hookimpl", "__version__"}, "musubi_nodes.families": set(families.__all__)}
"""All that a plugin may import of the core: module and names."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_core_imports_no_plugin():
    for file in CORE.rglob("*.py"):
        assert not [name for name in imported(file) if name.startswith("musubi_nodes_")], file


def beside_the_door(file: Path) -> list[str]:
    """What ``file`` takes of the core otherwise than the door offers it."""
    found, doors = [], {}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "musubi_nodes"]
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "musubi_nodes" and not node.level:
            offered = DOOR.get(str(node.module), set())
            named = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            doors |= {name: module for name, module in named.items() if module in DOOR}
            found += [module for name, module in named.items() if name not in offered and module not in DOOR]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in doors:
            module = doors[node.value.id]
            found += [f"{module}.{node.attr}"] if node.attr not in DOOR[module] else []
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundled_plugin_uses_the_public_door_and_no_other_plugin(folder):
    own = {package.name for package in (folder / "src").iterdir()}
    for file in (folder / "src").rglob("*.py"):
        assert not beside_the_door(file), file
        packages = {name.split(".")[0] for name in imported(file)}
        assert not {name for name in packages - own if name.startswith("musubi_nodes_")}, file


def test_other_ways_in_are_seen(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "import musubi_nodes.files\nfrom musubi_nodes import hookimpl, config\nfrom musubi_nodes.runs.run import run\n"
        "from musubi_nodes.families import Node, fields\nfrom . import musubi_nodes\nimport musubi_nodes_wan\n"
        "from musubi_nodes import families as mn\nmn.Node\nmn.script.ScriptNode\n"
    )
    assert beside_the_door(file) == [
        *("musubi_nodes.files", "musubi_nodes.config", "musubi_nodes.runs.run.run", "musubi_nodes.families.fields"),
        "musubi_nodes.families.script",
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundled_plugin_declares_itself(folder):
    project = tomli.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"].startswith("musubi-nodes-")
    assert any(line.startswith("musubi-nodes") for line in project["dependencies"])
    assert project["entry-points"][GROUP]


def test_all_bundled_plugins_load():
    found = Plugins(Config(), find_plugins(ROOT))
    assert "miniature" not in found.loaded and found.install("miniature").models
    assert not found.failed
    assert len(found.loaded) >= 1 + len(FOLDERS)
