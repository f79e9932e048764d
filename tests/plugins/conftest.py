"""Plugins as they really come: distributions in a site folder, and folders of a checkout."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from musubi_nodes.config import Config
from musubi_nodes.plugins.discovery import find_plugins
from musubi_nodes.plugins.manager import Plugins

NODE = '''
from musubi_nodes import hookimpl
from musubi_nodes.families import Node, NodeInputs, NodeOutputs

class Hello(Node):
    """Says hello."""

    id, title, category = "{id}", "Hello", "Test"

    class Inputs(NodeInputs):
        pass

    class Outputs(NodeOutputs):
        pass

@hookimpl
def musubi_register_nodes():
    return [Hello]
'''


@dataclass
class Place:
    """Where plugins lie in this test: ``site`` is on sys.path, ``checkout`` looks like a clone."""

    site: Path
    checkout: Path

    def install(self, distribution: str, source: str, *, name: str = "") -> None:
        """Leave what pip leaves of a wheel with one module and one entry point."""
        module = distribution.replace("-", "_")
        (self.site / f"{module}.py").write_text(dedent(source), "utf-8")
        info = self.site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[musubi_nodes]\n{name or module} = {module}\n", "utf-8")
        importlib.invalidate_caches()

    def bundle(self, folder: str, source: str, *, distribution: str = "", name: str = "") -> Path:
        """A plugin's folder below ``plugins/``."""
        module = f"bundled_{folder}"
        root = self.checkout / "plugins" / folder
        (root / "src").mkdir(parents=True)
        (root / "src" / f"{module}.py").write_text(dedent(source), "utf-8")
        project = f'[project]\nname = "{distribution or folder}"\n[project.entry-points.musubi_nodes]\n'
        (root / "pyproject.toml").write_text(f'{project}{name or folder} = "{module}"\n', "utf-8")
        importlib.invalidate_caches()
        return root

    def load(self, config: Config | None = None) -> Plugins:
        return Plugins(config or Config(), find_plugins(self.checkout))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    before = set(sys.modules)
    found = Place(tmp_path / "site", tmp_path / "checkout")
    found.site.mkdir()
    monkeypatch.setattr(sys, "path", [str(found.site), *sys.path])
    yield found
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def node() -> Callable[[str], str]:
    """The source of a plugin with one node of the given id."""
    return lambda id_: NODE.format(id=id_)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged at error level."""
    caplog.set_level(logging.INFO, "musubi_nodes")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
