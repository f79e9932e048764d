"""The demo is the README's first command: it must do what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from musubi_nodes.config import load_config
from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.demo import make_dataset, run_demo, workflow
from musubi_nodes.hosts.terminal.run import run_file
from musubi_nodes.media.probe import probe
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.series import whole
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header


def demo_workflow(folder: Path, family: str = "wan") -> Path:
    """The demo's graph as a file; the configuration is read anew afterwards, as in a new process."""
    demo = plugins().install("miniature").demos[family]
    data = make_dataset(folder / "data", demo.frames, demo.dataset)
    path = write_json(folder / "w.json", workflow(data, "miniature", family))
    load_config.cache_clear()
    plugins.cache_clear()
    return path


@pytest.mark.parametrize(
    ("family", "trainer", "frames"),
    [("wan", "Wan", 17), ("hunyuan", "HunyuanVideo", 17), ("framepack", "FramePack", 25)],
)
def test_the_demo_makes_a_lora_whose_loss_fell_and_a_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], family: str, trainer: str, frames: int
) -> None:
    assert main(["demo", "--family", family, "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    run = next(tmp_path.glob(f"musubi/runs/*-{trainer}LoRATrainer-*"))
    points = whole(RunFolder(run).metrics).points()
    assert [point["step"] for point in points] == list(range(1, 81))
    assert points[-1]["average"] < 0.8 * points[0]["average"]
    header = read_header(tmp_path / "models" / "loras" / "musubi" / "demo_lora.safetensors")
    assert len(header.metadata) >= 40
    assert probe(tmp_path / "musubi" / "demo.mp4").frames == frames
    made = ("musubi/demo.mp4", "models/loras/musubi/demo_lora.safetensors", "musubi/runs")
    for place in (f"demo_{family}", f"demo_{family}_workflow.json", *made):
        assert str(tmp_path / place) in said


def test_the_demo_of_a_picture_family_makes_a_picture(tmp_path: Path) -> None:
    assert main(["demo", "--family", "z_image", "--output", str(tmp_path)]) == 0
    run = next(tmp_path.glob("musubi/runs/*-ZImageLoRATrainer-*"))
    points = whole(RunFolder(run).metrics).points()
    assert points[-1]["average"] < 0.8 * points[0]["average"]
    assert (tmp_path / "musubi" / "demo.png").is_file()


def test_a_family_without_a_demo_is_told_which_have_one(tmp_path: Path) -> None:
    with fails("demo-unknown", "'framepak'", "'framepack'"):
        run_demo(tmp_path, "miniature", "framepak")
    assert not list(tmp_path.iterdir())


def test_what_ends_a_workflow_after_a_training_is_exit_code_1(tmp_path: Path) -> None:
    """The converter refuses FramePack's LoRAs without a process of its own, so without a log."""
    path = demo_workflow(tmp_path, "framepack")
    graph = json.loads(path.read_text("utf-8"))
    del graph["7"], graph["8"]
    graph["5"]["inputs"]["max_train_epochs"] = 1
    graph["10"] = {"class_type": "MusubiTuner_LoRAFormatConverter", "inputs": {"lora": ["6", 0], "output_name": "x"}}
    write_json(path, graph)
    assert main(["run", str(path), "--install", "miniature", "--output", str(tmp_path)]) == 1
    alone = {"1": {"class_type": "MusubiTuner_LoRASelect", "inputs": {"lora": "musubi/demo_lora.safetensors"}},
             "2": {"class_type": "MusubiTuner_LoRAFormatConverter", "inputs": {"lora": ["1", 0]}}}  # fmt: skip
    path = write_json(tmp_path / "alone.json", alone)
    assert main(["run", str(path), "--install", "miniature", "--output", str(tmp_path)]) == 2
    with fails("lora-not-convertible", "demo_lora"):
        run_file(path, (), tmp_path)


def test_the_demos_own_workflow_file_runs_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = demo_workflow(tmp_path)
    arguments = ["run", str(path), "--install", "miniature", "--output", str(tmp_path)]
    settings = ["--set", "TrainingConfig.max_train_epochs=2", "--set", "7.video_length=5"]
    assert main([*arguments, *settings]) == 0
    assert probe(tmp_path / "musubi" / "demo.mp4").frames == 5
    assert main(["runs", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("done ") == 4


@pytest.mark.parametrize(
    ("setting", "code", "value"),
    [
        ("5.nothing=1", "widget-unknown", "'nothing'"),
        ("99.seed=1", "node-unknown", "'99'"),
        ("seed", "setting-invalid", "'seed'"),
        ("5.max_train_epochs=0", "training-length-missing", "max_train_epochs"),
        ("2.dit=miniature/wan_i2v_14b.safetensors", "model-other-task", "wan_i2v_14b.safetensors"),
        ("2.install=nowhere", "install-unknown", "'nowhere'"),
    ],
)
def test_a_wrong_call_is_one_message_and_exit_code_2(
    tmp_path: Path, musubi_miniature: str, setting: str, code: str, value: str
) -> None:
    path = demo_workflow(tmp_path)
    with fails(code, value):
        run_file(path, [setting], tmp_path)
    assert main(["run", str(path), "--output", str(tmp_path), "--set", setting]) == 2
    assert not list(tmp_path.glob("musubi/runs/*/process.json"))
