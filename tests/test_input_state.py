"""ComfyUI runs a node again when a file or the musubi-tuner behind its inputs is another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_values
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.hostile.every_node import every_node
from tests.hostile.test_before_the_queue import CANVAS, Canvas, widgets
from tests.test_replaced_files import replace

from musubi_nodes.families.context import Context
from musubi_nodes.families.input_state import input_files_of
from musubi_nodes.families.node import Node
from musubi_nodes.families.sockets import Lora
from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.hosts.comfyui.output_tracker import OutputTracker, stamps
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.runs.install import Install

FILES = [(node, spec) for node in CANVAS for spec in node.fields() if spec.kind in ("model", "input")]
TOML = b"[[datasets]]\nimage_directory = 'a'\ncaption_extension = '.txt'\nresolution = 64"
TEXTS: dict[tuple[str, str], tuple[str, bytes, bytes]] = {
    ("DatasetConfigLoader", "path"): ("a.toml", TOML, TOML.replace(b"64", b"96")),
    ("DatasetConfigEditor", "toml"): ("a.toml", TOML, TOML.replace(b"64", b"96")),
    ("BatchProcessor", "file"): ("a.txt", b"a cat", b"a dog"),
}  # fmt: skip
"""Fields of plain text that name a file, with two of the same size."""


@pytest.fixture
def canvas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canvas:
    made = Canvas(tmp_path / "comfyui", trusted=True)
    monkeypatch.setattr(emit, "_host", lambda: made)
    return made


def changed(node: type[Node], values: dict[str, Any], services: Plugins | None = None) -> str:
    return emit.changed(node, services or plugins(), {**widgets(node), **values, "musubi_node_id": "7"})


@pytest.mark.parametrize(("node", "spec"), FILES, ids=[f"{node.id}.{spec.name}" for node, spec in FILES])
def test_another_file_of_the_same_size_and_time_runs_the_node_again(node: Any, spec: Any, canvas: Canvas) -> None:
    folder = canvas.input if spec.kind == "input" else canvas.model_folders(spec.model_kind)[0]
    path = folder / "file.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"one")
    first = changed(node, {spec.name: path.name})
    assert node.always_runs or changed(node, {spec.name: path.name}) == first
    replace(path, b"two")
    assert changed(node, {spec.name: path.name}) != first


@pytest.mark.parametrize("row", TEXTS, ids="{0[0]}.{0[1]}".format)
def test_another_file_behind_a_text_runs_the_node_again(row: tuple[str, str], canvas: Canvas) -> None:
    node = next(node for node in CANVAS if node.id == f"MusubiTuner_{row[0]}")
    name, one, other = TEXTS[row]
    path = canvas.input / name
    path.write_bytes(one)
    first = changed(node, {row[1]: str(path)})
    assert changed(node, {row[1]: str(path)}) == first
    replace(path, other)
    assert changed(node, {row[1]: str(path)}) != first


def test_a_picture_of_a_batch_that_was_replaced_runs_the_node_again(canvas: Canvas) -> None:
    node = next(node for node in CANVAS if node.id == "MusubiTuner_BatchProcessor")
    for name, color in (("a.bmp", "#102030"), ("b.bmp", "#302010")):
        Image.new("RGB", (48, 32), color).save(canvas.input / name)
    first = changed(node, {"text": "a cat --i a.bmp"})
    replace(canvas.input / "a.bmp", (canvas.input / "b.bmp").read_bytes())
    assert changed(node, {"text": "a cat --i a.bmp"}) != first


INSTALLED = [node for node in CANVAS if any(spec.kind == "install" for spec in node.fields())]


@pytest.mark.parametrize("node", INSTALLED, ids=lambda node: node.id)
def test_an_updated_musubi_tuner_runs_the_node_again(
    node: type[Node], canvas: Canvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = plugins()
    script = tmp_path / "checkout" / "src" / "musubi_tuner" / "wan" / "modules" / "vae.py"
    script.parent.mkdir(parents=True)
    script.write_bytes(b"a = 1")
    made = Install("main", tmp_path / "checkout", Path("python"))
    monkeypatch.setattr(services, "install", lambda name=None: made)
    first = changed(node, {}, services)
    assert changed(node, {}, services) == first
    replace(script, b"a = 2")
    second = changed(node, {}, services)
    assert second != first
    script.with_name("added.py").touch()
    third = changed(node, {}, services)
    assert third not in (first, second)
    made = with_values(made, python=Path("another"))
    assert changed(node, {}, services) not in (first, second, third)


def test_every_node_that_runs_a_script_knows_its_install_by_a_widget_or_by_its_models() -> None:
    for node in every_node():
        kinds, names = {spec.kind for spec in node.fields()}, {spec.name for spec in node.fields()}
        assert "install" in kinds or "models" in names or not hasattr(node, "script"), node.id


def test_a_file_that_came_over_a_link_and_was_replaced_runs_the_node_again(canvas: Canvas) -> None:
    node = next(node for node in CANVAS if node.id == "MusubiTuner_LoRASelect")
    path = canvas.model_folders("loras")[0] / "a.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    context, kept = Context(canvas, plugins()), OutputTracker()  # type: ignore[arg-type]
    before = Lora(path=canvas.input / "gone.safetensors")
    inputs = node.parse({"lora": "a.safetensors", "previous": before})
    assert inputs is not None
    kept.record("7", context, stamps(input_files_of(node, inputs, context)))
    assert kept.generation("7") == ""
    replace(path, b"two")
    assert kept.generation("7") != ""


VALUES: dict[str, Callable[[Path], Any]] = {
    "a path": lambda path: path,
    "a chain of LoRAs": lambda path: Lora(path=path.with_name("gone"), previous=Lora(path=path)),
    "a list": lambda path: [path],
}


@pytest.mark.parametrize("row", VALUES)
def test_files_on_a_wire_are_found_wherever_they_are(row: str, tmp_path: Path) -> None:
    from musubi_nodes.families.input_state import _paths

    path = tmp_path / "a"
    path.touch()
    assert list(_paths(VALUES[row](path))) == [path]
