"""The example workflows: API files and canvas files run on the miniature, and the canvas files are up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import canvas

from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.demo_dataset import first_frame, make_dataset
from musubi_nodes.hosts.terminal.foreign import FOREIGN
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes_miniature.demos import DEMOS

API = canvas.EXAMPLES / "api"
NAMES = sorted(file.stem for file in API.glob("*.json"))
VIDEOS = {"wan": "Wan", "hunyuan": "HunyuanVideo", "framepack": "FramePack"}
FAMILIES = {**VIDEOS, "z_image": "ZImage"}
"""Family key -> how its nodes' names begin."""
OF_A_FAMILY = [name for name in NAMES if name.startswith(tuple(FAMILIES))]


def planned_family(name: str) -> str:
    """The family that an example's Memory Optimizer names."""
    nodes = json.loads((API / f"{name}.json").read_text("utf-8")).values()
    memory = (node["inputs"] for node in nodes if node["class_type"] == "MusubiTuner_MemoryOptimizer")
    return str(next(memory, {}).get("family", ""))


PLANNED = [name for name in OF_A_FAMILY if planned_family(name) in FAMILIES]


def toys(family: str) -> list[str]:
    """Widgets of the family's nodes for toy models and toy sizes: those of ``musubi-nodes demo``, and smaller."""
    demo, name = DEMOS[family], FAMILIES[family]
    values = {f"{name}Models.{key}": value for key, value in demo.models.items()}
    sizes = {"width": 96, "height": 64, "infer_steps": 2, **demo.generation}
    values |= {f"{name}Generator.{key}": value for key, value in sizes.items()}
    values |= {"MemoryOptimizer.blocks_to_swap": 1, "TrainingConfig.max_train_epochs": 1}
    return [f"{widget}={value}" for widget, value in values.items()]


def as_api(name: str) -> dict[str, Any]:
    """The canvas file as the page would queue it."""
    drawn = json.loads((canvas.EXAMPLES / f"{name}.json").read_text("utf-8"))
    sources = {link[0]: [str(link[1]), link[2]] for link in drawn["links"]}
    known = {node.id: node for node in plugins().nodes} | FOREIGN
    prompt: dict[str, Any] = {}
    for node in drawn["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        values = list(node["widgets_values"])
        widgets = [spec for spec in known[node["type"]].fields() if spec.kind != "socket"]
        for number in [n for n, spec in enumerate(widgets) if spec.widget.seed]:
            assert values.pop(number + 1) == "fixed"  # the canvas's own widget after a seed
        inputs = {spec.name: value for spec, value in zip(widgets, values, strict=True)}
        inputs |= {given["name"]: sources[given["link"]] for given in node["inputs"] if given["link"]}
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


Run = Callable[..., None]


@pytest.fixture(params=["api", "canvas"])
def run(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs an example on the miniature: its API file, or its canvas file made into one."""
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")

    def start(name: str, *settings: str) -> None:
        prompt = json.loads((API / f"{name}.json").read_text("utf-8")) if request.param == "api" else as_api(name)
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(prompt), "utf-8")
        there = {entry["class_type"].removeprefix("MusubiTuner_") for entry in prompt.values()}
        chosen = [word for each in settings if each.split(".")[0] in there for word in ("--set", each)]
        assert main(["run", str(file), "--output", str(tmp_path), *chosen]) == 0

    return start


@pytest.mark.parametrize("family", VIDEOS)
def test_the_examples_of_a_family_train_and_generate(
    family: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = DEMOS[family]
    dataset = make_dataset(tmp_path / "data", demo.frames, demo.dataset, size=(96, 64))
    run(f"{family}_lora_training", f"DatasetConfigLoader.path={dataset}", *toys(family))
    assert (tmp_path / "models" / "loras" / "musubi" / f"my_{family}_lora.safetensors").is_file()
    monkeypatch.chdir(tmp_path)  # where LoadImage looks
    first_frame(tmp_path / "data").rename(tmp_path / "first_frame.png")
    run(f"{family}_generation", *toys(family))
    assert (tmp_path / "musubi" / f"{family}.mp4").is_file()


def test_the_example_of_a_picture_family_trains(run: Run, tmp_path: Path) -> None:
    data = f"DatasetConfigLoader.path={make_dataset(tmp_path / 'data', size=(96, 64))}"
    run("z_image_lora_training", data, *toys("z_image"))
    assert (tmp_path / "models" / "loras" / "musubi" / "my_z_image_lora.safetensors").is_file()


def test_the_watched_example_makes_samples_and_tells_of_the_curve(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [f"SamplingConfig.sample_{name}={value}" for name, value in (("width", 96), ("height", 64), ("steps", 2))]
    data = f"DatasetConfigLoader.path={make_dataset(tmp_path / 'data', size=(96, 64))}"
    run("wan_training_watched", data, *toys("wan"), *small)
    (folder,) = (tmp_path / "musubi" / "runs").glob("*Trainer*")
    assert list((folder / "out" / "sample").glob("*.png"))
    assert "best: my_wan_lora.safetensors" in capsys.readouterr().out


def test_the_lora_examples_convert_and_merge(run: Run, tmp_path: Path) -> None:
    data = f"DatasetConfigLoader.path={make_dataset(tmp_path / 'data', size=(96, 64))}"
    for name in ("first", "second", "third"):
        run("hunyuan_lora_training", data, *toys("hunyuan"), f"HunyuanVideoLoRATrainer.output_name={name}")
    run("lora_merge", f"LoRAMerger.dit={DEMOS['hunyuan'].models['dit']}")
    assert (tmp_path / "musubi" / "merged" / "hunyuan_merged.safetensors").is_file()
    run("lora_conversion", "LoRASelect.lora=musubi/first.safetensors")
    assert (tmp_path / "models" / "loras" / "musubi" / "my_wan_lora_converted.safetensors").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_canvas_example_is_what_the_tool_makes_and_has_a_thumbnail(name: str) -> None:
    file = canvas.EXAMPLES / f"{name}.json"
    assert file.read_text("utf-8") == canvas.text(name), "run: python -m tools.canvas"
    assert file.with_suffix(".jpg").stat().st_size < 150_000


@pytest.mark.parametrize("name", PLANNED)
def test_a_memory_plan_for_a_card_needs_only_another_mode(
    name: str, tmp_path: Path, musubi_workplace: Workplace
) -> None:
    """Its family is known, and a generator's plan is none for gradients of one picture."""
    api = json.loads((API / f"{name}.json").read_text("utf-8"))
    (inputs,) = (e["inputs"] for e in api.values() if e["class_type"] == "MusubiTuner_MemoryOptimizer")
    assert musubi_workplace.run("MemoryOptimizer", **inputs | {"mode": "24 GB"}).report
    assert name.startswith(inputs["family"])
    for made in (e["inputs"] for e in api.values() if e["class_type"].endswith("Generator")):
        assert inputs["use"] == "generating"
        assert inputs["frames"] == made.get("video_length", inputs["frames"]) > 1


def test_every_example_is_there_in_both_forms() -> None:
    assert NAMES == sorted(canvas.LAYOUTS["workflows"]) == sorted(file.stem for file in canvas.EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_a_canvas_example_says_what_its_api_file_says(name: str) -> None:
    prompt, api = as_api(name), json.loads((API / f"{name}.json").read_text("utf-8"))
    assert prompt.keys() == api.keys()
    for id_, entry in api.items():
        assert prompt[id_]["inputs"] == prompt[id_]["inputs"] | entry["inputs"]
