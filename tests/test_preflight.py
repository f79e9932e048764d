"""What can be known to fail is told before anything runs, and by both hosts in the same words."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.links import symlink
from tests.moving import moving, written

from musubi_nodes.budget import Budget
from musubi_nodes.errors import MusubiError
from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.hosts.terminal.workflow import check_workflow, read_workflow
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

Host = Callable[[Workplace, str, dict[str, Any]], None]


def comfyui(place: Workplace, name: str, widgets: dict[str, Any]) -> None:
    emit.validate(place.node(name), place.services, widgets)


def terminal(place: Workplace, name: str, widgets: dict[str, Any]) -> None:
    """The node with a preview behind it, where it is no end by itself."""
    node = place.node(name)
    steps: dict[str, Any] = {"1": {"class_type": node.id, "inputs": widgets}}
    outputs = [spec.wire for spec in node.outputs()]
    if not node.output_node:
        target = "PreviewImage" if "IMAGE" in outputs else "MusubiTuner_WanGenerator"
        wire = {"IMAGE": "images", "MUSUBI_LORA": "lora", "MUSUBI_WAN_MODELS": "models"}[outputs[0]]
        prompt = {} if target == "PreviewImage" else {"prompt": "a cat"}
        steps["2"] = {"class_type": target, "inputs": {wire: ["1", 0], **prompt}}
    path = place.folder / "workflow.json"
    path.write_text(json.dumps(steps), "utf-8")
    check_workflow(read_workflow(path, place.services.nodes), place.host, place.services)


@pytest.fixture
def place(musubi_workplace: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workplace:
    monkeypatch.setattr(emit, "_host", lambda: musubi_workplace.host)
    monkeypatch.chdir(tmp_path)
    musubi_workplace.weights("loras", "no_lora.safetensors", some=(2, 2))
    return musubi_workplace


WAN = {"dit": "miniature/wan_t2v_14b.safetensors", "vae": "miniature/wan_vae.safetensors"}
WAN |= {"t5": "miniature/umt5_xxl.safetensors"}
HUNYUAN = {"dit": "miniature/hunyuan_video_t2v.safetensors", "lora": None}


@pytest.mark.parametrize("host", [comfyui, terminal])
@pytest.mark.parametrize(
    ("node", "widgets", "code", "named"),
    [
        ("WanModels", {}, "input-missing", "vae, t5"),
        ("WanModels", {"dit": WAN["dit"], "t5": WAN["t5"]}, "input-missing", "vae"),
        ("VideoInput", {"file": "gone.mp4"}, "file-missing", "video 'gone.mp4'"),
        ("LoRASelect", {"lora": "gone.safetensors"}, "model-missing", "'gone.safetensors'"),
        ("LoRASelect", {"lora": "no_lora.safetensors"}, "file-not-lora", "no_lora.safetensors"),
        ("WanModels", {**WAN, "vae": "gone.safetensors"}, "model-missing", "'gone.safetensors'"),
        ("WanModels", {**WAN, "install": "gone"}, "install-unknown", "'gone'"),
        ("WanModels", {**WAN, "dit": "miniature/hunyuan_video_t2v.safetensors"}, "model-other-kind", "Wan"),
        ("TrainingMonitor", {"compare": "gone"}, "run-missing", "gone"),
        ("TrainingMonitor", {"name": "gone"}, "run-missing", "gone"),
    ],
)
def test_what_is_not_there_is_told_before_the_queue_runs(
    place: Workplace, host: Host, node: str, widgets: dict[str, Any], code: str, named: str
) -> None:
    with fails(code, named):
        host(place, node, widgets)


@pytest.mark.parametrize("host", [comfyui, terminal])
@pytest.mark.parametrize("lie", [Path.mkdir, lambda path: symlink(path, "gone")])
def test_what_lies_in_place_of_a_model_is_told_as_what_it_is(
    place: Workplace, host: Host, lie: Callable[[Path], None]
) -> None:
    path = place.host.output_folder / "models" / "vae" / "x.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    lie(path)
    with fails("model-missing", path) as caught:
        host(place, "WanModels", {**WAN, "vae": path.name})
    assert str(caught.value).count(repr(path.name)) == 1  # it is not what was meant


@pytest.mark.parametrize("host", [comfyui, terminal])
def test_of_several_files_that_are_not_there_each_is_told_with_its_folders(place: Workplace, host: Host) -> None:
    with fails("inputs-invalid") as raised:
        host(place, "WanModels", {**WAN, "vae": "gone.safetensors", "t5": "gone.pth"})
    for found, kind, name in zip(
        raised.value.problems, ("vae", "text_encoders"), ("gone.safetensors", "gone.pth"), strict=True
    ):
        folders = ", ".join(map(str, place.host.model_folders(kind)))
        assert found.code == "model-missing" and all(each in found.text for each in (name, kind, folders))


@pytest.mark.parametrize(
    ("node", "widgets", "code", "named"),
    [
        ("LoRAMerger", {"dit": WAN["dit"], "lora": None}, "model-other-kind", "HunyuanVideo"),
        ("LoRAMerger", {**HUNYUAN, "output_name": "../x"}, "file-name-invalid", "output_name"),
        ("LoRAMerger", {**HUNYUAN, "extra_options": "x"}, "toml-invalid", ""),
        ("LoRAFormatConverter", {"lora": None, "output_name": "a/b"}, "file-name-invalid", "output_name"),
    ],
)
def test_a_tool_after_a_training_is_looked_at_before_it(
    place: Workplace, node: str, widgets: dict[str, Any], code: str, named: str
) -> None:
    with fails(code, named):
        comfyui(place, node, widgets)


def test_what_is_there_is_no_error(place: Workplace) -> None:
    for host in (comfyui, terminal):
        host(place, "WanModels", WAN)
    comfyui(place, "LoRAMerger", HUNYUAN)


@pytest.mark.parametrize(
    ("node", "widgets"),
    [
        ("VideoInput", {"file": "gone.mp4"}),
        ("VideoInput", {"file": "text.mp4"}),
        ("VideoInput", {"file": "short.mp4", "start": 99.0}),
        ("LoRASelect", {"lora": "gone.safetensors"}),
        ("LoRASelect", {"lora": "no_lora.safetensors"}),
        ("WanModels", {**WAN, "vae": "gone.safetensors"}),
        ("WanModels", {**WAN, "install": "gone"}),
        ("WanModels", {**WAN, "dit": "miniature/hunyuan_video_t2v.safetensors"}),
        ("TrainingMonitor", {"name": "gone"}),
        ("TrainingMonitor", {"name": "run", "compare": "gone"}),
        ("ResourceMonitor", {"name": "gone"}),
        ("Prompt", {"prompt": " "}),
        ("BatchProcessor", {}),
        ("BatchProcessor", {"text": "a cat --strange 1"}),
        ("BatchProcessor", {"file": "gone.csv"}),
        ("BatchProcessor", {"file": "wrong.csv"}),
        ("DatasetConfigLoader", {}),
        ("DatasetConfigLoader", {"path": "unknown.toml"}),
        ("DatasetConfigLoader", {"path": "no_folder.toml"}),
        ("DatasetConfigEditor", {"toml": "gone.toml"}),
        ("DatasetConfigEditor", {"toml": "unknown.toml"}),
        ("DatasetConfigEditor", {"directory": "gone"}),
        ("MemoryOptimizer", {"mode": "12 GB"}),
        ("MemoryOptimizer", {"mode": "12 GB", "family": "gone"}),
        ("MemoryOptimizer", {"family": "wan", "model_size": "gone"}),
        ("MemoryOptimizer", {"family": "wan", "blocks_to_swap": 99}),
    ],
)
def test_what_validation_had_no_time_for_is_told_when_the_node_runs(
    place: Workplace, node: str, widgets: dict[str, Any]
) -> None:
    folder = place.host.input_folder()
    folder.mkdir(exist_ok=True)
    (folder / "text.mp4").write_text("no video", "utf-8")
    written(folder / "made", moving(2), "mp4-h264").rename(folder / "short.mp4")
    (folder / "wrong.csv").write_text("prompt,strange\na cat,1\n", "utf-8")
    (folder / "unknown.toml").write_text("strange = 1\n[[datasets]]\nimage_directory = '.'\n", "utf-8")
    (folder / "no_folder.toml").write_text("[[datasets]]\nimage_directory = 'gone'\n", "utf-8")
    with pytest.raises(MusubiError) as foreseen:
        comfyui(place, node, widgets)
    with suppress(MusubiError), Budget(-1, 0).used():
        comfyui(place, node, widgets)  # whatever it looks at, it remembers nothing half
    with pytest.raises(MusubiError) as told:
        place.run(node, **widgets)
    assert told.value.what in foreseen.value.what  # before the queue runs some name the field as well


@pytest.mark.parametrize("name", ["WanModels", "HunyuanVideoModels", "FramePackModels"])
def test_what_a_workflow_file_leaves_out_is_told_in_one_sentence(place: Workplace, name: str) -> None:
    needed = [spec.name for spec in place.node(name).fields() if spec.required]
    with fails("input-missing", ", ".join(needed)):
        comfyui(place, name, {})
