"""The example workflows: the API files run, and the canvas files fit the nodes as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.demo import make_dataset
from musubi_nodes.plugins.manager import plugins

EXAMPLES = Path(__file__).resolve().parents[1] / "example_workflows"
CANVAS = sorted(EXAMPLES.glob("*.json"))
COMFYUI = {"Note", "MarkdownNote", "SaveVideo", "LoadImage", "PreviewImage", "PreviewAny"}
TOYS = ["WanModels.dit=miniature/wan_t2v_14b.safetensors", "WanModels.vae=miniature/wan_vae.safetensors",
        "WanModels.t5=miniature/umt5_xxl.safetensors", "MemoryOptimizer.blocks_to_swap=1"]  # fmt: skip


def run(name: str, output: Path, *settings: str) -> int:
    chosen = [word for setting in (*TOYS, *settings) for word in ("--set", setting)]
    file = str(EXAMPLES / "api" / f"{name}.json")
    return main(["run", file, "--install", "miniature", "--output", str(output), *chosen])


def test_the_api_examples_train_and_generate(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    assert run("wan_lora_training", tmp_path, f"DatasetConfigLoader.path={dataset}", "6.max_train_epochs=1") == 0
    assert (tmp_path / "models" / "loras" / "musubi" / "my_wan_lora.safetensors").is_file()
    small = ("4.width=96", "4.height=64", "4.video_length=5", "4.infer_steps=2")
    assert run("wan_generation", tmp_path, *small) == 0
    assert (tmp_path / "musubi" / "wan.mp4").is_file()


@pytest.mark.parametrize("file", CANVAS, ids=lambda file: file.stem)
def test_a_canvas_example_has_the_widgets_of_its_nodes_and_a_thumbnail(file: Path) -> None:
    known = {node.id: node for node in plugins().nodes}
    for node in json.loads(file.read_text("utf-8"))["nodes"]:
        if node["type"] in COMFYUI:
            continue
        declared = [spec for spec in known[node["type"]].fields() if spec.kind != "socket"]
        values: list[Any] = node["widgets_values"]
        for number in [n for n, spec in enumerate(declared) if spec.widget.seed]:
            assert values.pop(number + 1) in ("fixed", "randomize")  # the canvas's own widget after a seed
        assert len(values) == len(declared), node["type"]
        given = {s.name: v for s, v in zip(declared, values, strict=True) if s.kind not in ("model", "install")}
        known[node["type"]].parse(given, partly=True)
    assert file.with_suffix(".jpg").stat().st_size < 200_000
