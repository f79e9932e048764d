"""Each layer of the core imports only what stands below it, and one package alone knows ComfyUI."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core" / "src" / "musubi_nodes"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
LAYERS = [
    "testing",
    "hosts",
    "nodes",
    "plugins",
    "families",
    "commands",
    "runs",
    "datasets",
    "media",
    "memo",
    "config",
    "tensor_values",
    "tensor_arrays",
    "weights",
    "files",
    "file_names",
    "json_types",
    "parsing",
    "children",
    "sharing",
    "windows_names",
    "budget",
    "errors",
    "i18n",
    "log",
    "__init__",
]
"""From top to bottom; a layer may use itself and everything below."""

PACKAGES = {
    "families": ["generating", "training", "memory", "caches", "models", "recognition", "settings"],
    "runs": ["process", "hardware", "record"],
    "datasets": ["checks", "scan", "files", "config"],
}
"""The packages of a layer, in the same order; modules beside them may be used by all."""

COMFYUI = {"torch", "comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "execution"}
FILES = sorted(CORE.rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    """The full names of all modules and names that ``file`` imports, wherever in the file."""
    package = ["musubi_nodes", *file.relative_to(CORE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def layer(name: str) -> str | None:
    """The layer of an imported name; ``None`` for other people's packages."""
    top, *rest = name.split(".")
    if top != "musubi_nodes":
        return None
    return rest[0] if rest and rest[0] in LAYERS else "__init__"


def above(name: str, own: str, package: str) -> bool:
    """Whether an imported name belongs to a package of the layer ``own`` that stands above ``package``."""
    top, *rest = name.split(".")[1:]
    order = PACKAGES[own]
    return top == own and bool(rest) and rest[0] in order[: order.index(package)]


@pytest.mark.parametrize("name", sorted({*re.findall(r"`([\w/.-]+\.(?:py|m?js|toml))`", PAGE)}))
def test_the_page_on_architecture_names_a_file_that_is_there(name):
    places = ("core/src/musubi_nodes", "core/src/musubi_nodes/families/generating", "")
    assert any((ROOT / place / name).is_file() for place in places)


def test_every_file_belongs_to_a_layer():
    assert {file.relative_to(CORE).parts[0].removesuffix(".py") for file in FILES} == set(LAYERS)


def files_of(name: str) -> list[Path]:
    """The files of a layer."""
    return [file for file in FILES if file.relative_to(CORE).parts[0].removesuffix(".py") == name]


@pytest.mark.parametrize("own", LAYERS)
def test_imports_go_down(own):
    above = LAYERS[: LAYERS.index(own)]
    assert not {(file.name, name) for file in files_of(own) for name in imports(file) if layer(name) in above}


@pytest.mark.parametrize(("own", "package"), [(own, package) for own, order in PACKAGES.items() for package in order])
def test_imports_of_the_packages_of_a_layer_go_down(own, package):
    files = (CORE / own / package).rglob("*.py")
    names = {(file.name, name) for file in files for name in imports(file) if layer(name) == own}
    assert not {(file, name) for file, name in names if above(name, own, package)}


@pytest.mark.parametrize("own", PACKAGES)
def test_every_package_of_a_layer_has_its_place(own):
    assert {file.parent.name for file in (CORE / own).glob("*/__init__.py")} == set(PACKAGES[own])


def test_only_the_comfyui_host_knows_comfyui():
    files = [file for file in FILES if not file.is_relative_to(CORE / "hosts" / "comfyui")]
    assert not {(file.name, name) for file in files for name in imports(file) if name.split(".")[0] in COMFYUI}


def test_the_reader_of_imports_sees_all_kinds(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "CORE", tmp_path)
    file = tmp_path / "runs" / "sub" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import torch.nn\nfrom musubi_nodes import config\nfrom .. import guard\nfrom ...hosts.terminal import cli\n"
        "def f():\n    from musubi_nodes.nodes import NODES\n"
    )
    assert list(map(layer, imports(file))) == [None, "config", "runs", "hosts", "nodes"]
