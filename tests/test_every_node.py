"""Every bundled node runs in a terminal; tests/real has the same workflows in a real ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.every_node import FRAMES, GRAPHS, HEIGHT, REAL_ONLY, WIDTH, check_images, classes

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.terminal.foreign import PreviewImage
from musubi_nodes.hosts.terminal.run import run_file
from musubi_nodes.media.frames import as_array
from musubi_nodes.media.probe import probe
from musubi_nodes.plugins.manager import plugins


@pytest.fixture(autouse=True)
def miniature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")


def test_the_workflows_hold_every_node(tmp_path: Path) -> None:
    there = classes(made(tmp_path) for made in GRAPHS.values())
    own = {node.id for node in plugins().nodes if not node.id.startswith(REAL_ONLY)}
    assert own == {name for name in there if name.startswith("MusubiTuner_")}


def test_every_node_runs_without_comfyui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, previewed = tmp_path / "output", []

    def preview(self: PreviewImage, inputs: Any, context: Context) -> Any:
        previewed.append(as_array(inputs.images))
        return self.Outputs()

    monkeypatch.setattr(PreviewImage, "run", preview)
    for name, made in GRAPHS.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(made(tmp_path)), "utf-8")
        assert run_file(path, (), output) == 0
    for images in previewed:
        check_images(images)
    assert len(previewed) == 8  # of the graphs' six, one for each of two videos and of two pictures
    for clip, frames in {"every.mp4": FRAMES, "every-2.mp4": FRAMES, "every_hv.mp4": FRAMES}.items():
        facts = probe(output / "musubi" / clip)
        assert (facts.width, facts.height, facts.frames) == (WIDTH, HEIGHT, frames)
    assert (output / "models" / "loras" / "musubi" / "every_ema.safetensors").is_file()
