"""Ids of nodes, prompts and workflows are texts of the queued workflow too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.hostile.world import World

from musubi_nodes.families.context import Context
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.hostile import HOSTILE


@pytest.fixture
def world(tmp_path: Path, musubi_miniature: str, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(made.host, "preview_folder", made.folder / "temp")
    return made


def monitor(world: World, node_id: str) -> Any:
    node = world.node("TrainingMonitor")
    context = Context(world.host, world.services, node_id, frozenset())
    node().run(node.parse({"width": 256, "height": 192}), context)
    return context.pictures


def test_a_preview_lies_in_the_preview_folder_whatever_the_nodes_id(world: World) -> None:
    run = RunFolder.create(world.host.output_folder, "WanLoRATrainer")
    run.metrics.write_text('{"step": 1, "loss": 0.5, "average": 0.5, "time": 1.0}\n', "utf-8")
    for text in HOSTILE.values():
        (picture,) = monitor(world, text)
        assert picture.is_file() and picture.parent == world.host.preview_folder and len(picture.name) < 250


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if len(text) < 1000])
def test_a_run_remembers_any_id(text: str, tmp_path: Path) -> None:
    with RunFolder.opened(tmp_path, "Node", {"node": text, "prompt": text, "workflow": text}) as folder:
        assert folder.origin()["workflow"] == text
    assert [path.parent for path in tmp_path.rglob("origin.json")] == [folder.path]
