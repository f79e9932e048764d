"""The bundled plugins use the public door only: the core knows none of them, and they know only what authors may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from musubi_nodes.config import Config
from musubi_nodes.plugins.discovery import GROUP, find_plugins
from musubi_nodes.plugins.manager import Plugins

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "src" / "musubi_nodes"
FOLDERS = [file.parent for file in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
PRIVATE = ("musubi_nodes.plugins", "musubi_nodes.hosts", "musubi_nodes.nodes")


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


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundled_plugin_imports_neither_hosts_nor_other_plugins(folder):
    own = {package.name for package in (folder / "src").iterdir()}
    for file in (folder / "src").rglob("*.py"):
        for name in imported(file):
            assert not name.startswith(PRIVATE), f"{file}: {name}"
            package = name.split(".")[0]
            assert package in own or not package.startswith("musubi_nodes_"), f"{file}: {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundled_plugin_declares_itself(folder):
    project = tomli.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"].startswith("musubi-nodes-")
    assert any(line.startswith("musubi-nodes") for line in project["dependencies"])
    assert project["entry-points"][GROUP]


def test_all_bundled_plugins_load():
    found = Plugins(Config(), find_plugins(ROOT))
    assert not found.failed
    assert len(found.loaded) >= 1 + len(FOLDERS)
