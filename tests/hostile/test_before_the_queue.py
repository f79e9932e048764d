"""What ComfyUI asks before and while a workflow is queued: every node, every text field, every hostile value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.hostile.every_node import every_node

from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.hosts.comfyui.output_tracker import OutputTracker
from musubi_nodes.hosts.terminal.foreign import FOREIGN
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.fill import default_value
from musubi_nodes.testing.hostile import HOSTILE, refused, text_fields

CANVAS = [node for node in every_node() if node.id not in FOREIGN]
NO_TEXTS: dict[str, Any] = {
    "a number": 7,
    "a fraction": 1e400,
    "a truth": True,
    "a list": ["--x", "-y"],
    "a list of lists": [[["--x"]]],
    "a dictionary": {"__value__": "--x", "$ref": "/etc/passwd"},
    "a link to nothing": ["../../x", 0],
}
OFFERED = ("model", "input", "install", "family", "choice", "run")
"""Kinds that take what is on offer, and nothing else."""


class Canvas:
    """ComfyUI as far as it is asked before a run."""

    def __init__(self, folder: Path, trusted: bool) -> None:
        self.input, self.output_folder, self.trusted, self.outputs = (
            folder / "input",
            folder / "output",
            trusted,
            OutputTracker(),
        )
        self.preview_folder = None
        for each in (self.input, self.output_folder):
            each.mkdir(parents=True)

    def raise_if_cancelling(self) -> None:
        """Nobody cancels."""

    def input_folder(self) -> Path:
        return self.input

    def model_names(self, kind: str) -> list[str]:
        return ["model.safetensors"]

    def model_folders(self, kind: str) -> list[Path]:
        return [self.output_folder.parent / "models" / kind]

    def running_workflow(self) -> None:
        return None


@pytest.fixture(params=[True, False], ids=["on loopback", "beyond loopback"])
def canvas(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canvas:
    made = Canvas(tmp_path / "comfyui", request.param)
    monkeypatch.setattr(emit, "_host", lambda: made)
    return made


def widgets(node: type[Node]) -> dict[str, Any]:
    """What a new node holds, with a file in each place that needs one."""
    specs = [spec for spec in node.fields() if spec.kind not in ("socket", "input")]
    return {spec.name: spec.to_widget(default_value(spec)) for spec in specs}


def ends_well(node: type[Node], spec: FieldSpec, value: Any) -> bool:
    """Whether the server refuses the value; being asked whether a node has changed never fails."""
    values = {**widgets(node), spec.name: value}
    emit.changed(node, plugins(), {**values, "musubi_node_id": "7"})
    return refused(lambda: emit.validate(node, plugins(), values))


@pytest.mark.parametrize("node", CANVAS, ids=lambda node: node.id)
def test_a_hostile_text_is_taken_as_a_text_or_refused(node: type[Node], canvas: Canvas) -> None:
    before = sorted(canvas.input.parent.rglob("*"))
    for spec in text_fields(node.Inputs):
        for label, text in HOSTILE.items():
            no = ends_well(node, spec, text)
            own_file = spec.kind == "input" and canvas.trusted  # a whole path, typed by whoever sits at this machine
            assert no or own_file or spec.kind not in OFFERED, f"{spec.name} took {label}, which is not on offer"
    assert sorted(canvas.input.parent.rglob("*")) == before


@pytest.mark.parametrize("node", CANVAS, ids=lambda node: node.id)
def test_what_is_no_text_is_refused(node: type[Node], canvas: Canvas) -> None:
    for spec in text_fields(node.Inputs):
        for label, value in NO_TEXTS.items():
            assert ends_well(node, spec, value), f"{spec.name} took {label}"
