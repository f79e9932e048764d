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
TOYS = [
    "WanModels.dit=miniature/wan_t2v_14b.safetensors",
    "WanModels.vae=miniature/wan_vae.safetensors",
    "WanModels.t5=miniature/umt5_xxl.safetensors",
    "MemoryOptimizer.blocks_to_swap=1",
]
HUNYUAN = [
    "HunyuanVideoModels.dit=miniature/hunyuan_video_t2v.safetensors",
    "HunyuanVideoModels.vae=miniature/hunyuan_video_vae.safetensors",
    "HunyuanVideoModels.text_encoder1=miniature/llava_llama3.safetensors",
    "HunyuanVideoModels.text_encoder2=miniature/clip_l.safetensors",
    "MemoryOptimizer.blocks_to_swap=1",
]
FRAMEPACK = [
    *(each.replace("HunyuanVideoM", "FramePackM").replace("hunyuan_video_t2v", "framepack_i2v") for each in HUNYUAN),
    "FramePackModels.image_encoder=miniature/siglip.safetensors",
]
SMALL = ("4.width=96", "4.height=64", "4.infer_steps=2")


def run(name: str, output: Path, *settings: str, toys: list[str] = TOYS) -> int:
    chosen = [word for setting in (*toys, *settings) for word in ("--set", setting)]
    file = str(EXAMPLES / "api" / f"{name}.json")
    return main(["run", file, "--install", "miniature", "--output", str(output), *chosen])


def test_the_api_examples_train_and_generate(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    assert run("wan_lora_training", tmp_path, f"DatasetConfigLoader.path={dataset}", "6.max_train_epochs=1") == 0
    assert (tmp_path / "models" / "loras" / "musubi" / "my_wan_lora.safetensors").is_file()
    small = ("4.width=96", "4.height=64", "4.video_length=5", "4.infer_steps=2")
    assert run("wan_generation", tmp_path, *small) == 0
    assert (tmp_path / "musubi" / "wan.mp4").is_file()


def test_the_hunyuan_video_examples_train_and_generate(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    settings = (f"DatasetConfigLoader.path={dataset}", "6.max_train_epochs=1")
    assert run("hunyuan_lora_training", tmp_path, *settings, toys=HUNYUAN) == 0
    assert run("hunyuan_generation", tmp_path, *SMALL, "4.video_length=5", toys=HUNYUAN) == 0
    assert (tmp_path / "musubi" / "hunyuan.mp4").is_file()


def test_the_lora_examples_convert_and_merge(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    settings = (f"DatasetConfigLoader.path={dataset}", "6.max_train_epochs=1")
    for name in ("first", "second", "third"):
        assert run("hunyuan_lora_training", tmp_path, *settings, f"8.output_name={name}", toys=HUNYUAN) == 0
    assert run("lora_merge", tmp_path, "4.dit=miniature/hunyuan_video_t2v.safetensors", toys=[]) == 0
    assert (tmp_path / "musubi" / "merged" / "hunyuan_merged.safetensors").is_file()
    assert run("lora_conversion", tmp_path, "1.lora=musubi/first.safetensors", toys=[]) == 0
    assert (tmp_path / "models" / "loras" / "musubi" / "my_wan_lora_converted.safetensors").is_file()


def test_the_framepack_generation_example_runs_by_sections(
    tmp_path: Path, place_for_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (f"DatasetConfigLoader.path={place_for_videos}", "6.max_train_epochs=1")
    assert run("framepack_lora_training", tmp_path, *settings, toys=FRAMEPACK) == 0
    monkeypatch.chdir(tmp_path)
    make_dataset(tmp_path / "data").with_name("red_ball.png").rename(tmp_path / "first_frame.png")
    sections = ("4.video_seconds=0.8", "4.latent_window_size=2")
    assert run("framepack_generation", tmp_path, *SMALL, *sections, toys=FRAMEPACK) == 0
    assert (tmp_path / "musubi" / "framepack.mp4").is_file()


@pytest.fixture
def place_for_videos(tmp_path: Path) -> Path:
    """A dataset TOML with two videos of one short section."""
    import numpy as np

    from musubi_nodes.media.frames import save_video

    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(2):
        noise = np.random.default_rng(number).random((9, 64, 96, 3)).astype(np.float32)
        save_video(noise, folder / f"v{number}.mp4", 30)
        (folder / f"v{number}.txt").write_text("a ball", "utf-8")
    path = tmp_path / "videos.toml"
    path.write_text(
        '[general]\nresolution = [96, 64]\ncaption_extension = ".txt"\nenable_bucket = true\n[[datasets]]\n'
        f"video_directory = '{folder.as_posix()}'\ntarget_frames = [9]\nfp_latent_window_size = 2\n",
        "utf-8",
    )
    return path


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
