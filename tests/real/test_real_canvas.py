"""HunyuanVideo, FramePack and the LoRA tools from the canvas, on the real scripts with toy weights.

The example workflows are queued in a real ComfyUI; what they make is compared with what the bare commands make.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.real.bare import Bare, described
from tests.real.comfy import PACK, Comfy, message, start
from tests.real.toys import MODELS, videos

from musubi_nodes.hosts.terminal.demo_dataset import first_frame, make_dataset
from musubi_nodes.media.frames import VideoFile

pytestmark = [pytest.mark.comfyui, pytest.mark.musubi]

SHORT = {
    "TrainingConfig": {"max_train_epochs": 2, "learning_rate": 0.001},
    "NetworkConfig": {"network_dim": 4, "network_alpha": 1.0},
    "OptimizerConfig": {"optimizer_type": "AdamW"},
    "MemoryOptimizer": {"fp8": "off", "blocks_to_swap": 0},
}
ENCODERS = "--text_encoder1 hv_llm.safetensors --text_encoder2 hv_clip.safetensors"
SIZE = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "ball"}


@pytest.fixture(scope="module")
def comfy(toy_config: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """One ComfyUI for all tests: it starts slowly."""
    started = start(tmp_path_factory.mktemp("canvas"), toy_config)
    yield started
    started.end()


def example(name: str, changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An example's API file with inputs of some of its nodes changed."""
    graph = json.loads((PACK / "example_workflows" / "api" / f"{name}.json").read_text("utf-8"))
    for entry in graph.values():
        entry["inputs"] |= changes.get(entry["class_type"].removeprefix("MusubiTuner_"), {})
    return graph


def add(graph: dict[str, Any], id_: str, name: str, **inputs: Any) -> None:
    assert id_ not in graph
    graph[id_] = {"class_type": f"MusubiTuner_{name}", "inputs": inputs}


def finished(comfy: Comfy, graph: dict[str, Any]) -> None:
    entry = comfy.wait(comfy.queue(graph), 900)
    assert entry["status"]["status_str"] == "success", message(entry)


def same(made: Path, bare: Path) -> None:
    """The same tensors and metadata; of videos, the same pictures."""
    if bare.suffix == ".mp4":
        assert np.array_equal(VideoFile(made).frames(), VideoFile(bare).frames())
    else:
        assert described(made) == described(bare)


def same_caches(comfy: Comfy, tail: str, bare: Path) -> None:
    made = {path.name: path for path in comfy.folder.glob(f"output/musubi/cache/**/*_{tail}.safetensors")}
    assert len(made) == 4 and made.keys() == {path.name for path in bare.glob(f"*_{tail}.safetensors")}
    for name, path in made.items():
        same(path, bare / name)


def test_hunyuan_video_and_the_lora_tools(comfy: Comfy, toy_config: str, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", size=(96, 64))
    graph = example(
        "hunyuan_lora_training",
        {**SHORT, "DatasetConfigLoader": {"path": str(dataset)}, "HunyuanVideoModels": MODELS["HunyuanVideo"]},
    )
    both = {"models": ["2", 0], "lora": ["8", 0]}
    add(graph, "video", "HunyuanVideoGenerator", **both, **SIZE, video_length=5, filename_prefix="hv")
    add(graph, "other", "LoRAFormatConverter", lora=["8", 0], output_name="hv_other")
    add(graph, "back", "LoRAFormatConverter", lora=["other", 0], output_name="hv_back")
    add(graph, "merged", "LoRAMerger", lora=["8", 0], dit="hv_dit.safetensors", output_name="hv_merged")
    add(graph, "ema", "LoRAPostHocEMA", run=["8", 1], beta=0.5, output_name="hv_ema")
    finished(comfy, graph)

    bare = Bare(toy_config, tmp_path / "bare")
    toml, caches = bare.dataset(dataset)
    out = bare.folder
    lora = f"{out}/my_hunyuan_lora.safetensors"
    bare.run("cache_latents.py", f"--dataset_config {toml} --vae hv_vae.safetensors")
    bare.run("cache_text_encoder_outputs.py", f"--dataset_config {toml} {ENCODERS} --batch_size 1")
    bare.train(
        "hv_train_network.py",
        f"--dit hv_dit.safetensors --dataset_config {toml} --network_module networks.lora --discrete_flow_shift 7.0 "
        f"--output_dir {out} --output_name my_hunyuan_lora",
    )
    bare.run(
        "hv_generate_video.py",
        f"--dit hv_dit.safetensors --vae hv_vae.safetensors {ENCODERS} --prompt ball --video_size 64 96 "
        f"--video_length 5 --infer_steps 2 --seed 1 --output_type video --lora_weight {lora} --lora_multiplier 1.0 "
        f"--save_path {out}/video",
    )
    bare.run("convert_lora.py", f"--input {lora} --output {out}/hv_other.safetensors --target other")
    bare.run(
        "convert_lora.py", f"--input {out}/hv_other.safetensors --output {out}/hv_back.safetensors --target default"
    )
    bare.run(
        "merge_lora.py",
        f"--dit hv_dit.safetensors --lora_weight {lora} --lora_multiplier 1.0 --device cpu "
        f"--save_merged_model {out}/hv_merged.safetensors",
    )
    checkpoints = f"{out}/my_hunyuan_lora-000001.safetensors {lora}"
    bare.run("lora_post_hoc_ema.py", f"{checkpoints} --beta 0.5 --output_file {out}/hv_ema.safetensors")
    same_caches(comfy, "hv", caches)
    same_caches(comfy, "hv_te", caches)
    loras, made = comfy.folder / "models" / "loras" / "musubi", comfy.folder / "output" / "musubi"
    for name in ("my_hunyuan_lora", "hv_other", "hv_back", "hv_ema"):
        same(loras / f"{name}.safetensors", out / f"{name}.safetensors")
    same(made / "merged" / "hv_merged.safetensors", out / "hv_merged.safetensors")
    same(made / "hv.mp4", next((out / "video").glob("*.mp4")))


def test_framepack_by_sections(comfy: Comfy, toy_config: str, tmp_path: Path) -> None:
    dataset, picture = videos(tmp_path / "data"), first_frame(tmp_path / "data")
    graph = example(
        "framepack_lora_training",
        {**SHORT, "DatasetConfigLoader": {"path": str(dataset)}, "FramePackModels": MODELS["FramePack"]},
    )
    shutil.copy(picture, comfy.folder / "input" / "first_frame.png")
    graph["picture"] = {"class_type": "LoadImage", "inputs": {"image": "first_frame.png"}}
    add(graph, "first", "FramePackSection", prompt="rolls", sections=2)
    add(graph, "second", "FramePackSection", previous=["first", 0], prompt="falls")
    parts = {"image": ["picture", 0], "section": ["second", 0], "video_seconds": 0.8, "latent_window_size": 2}
    add(graph, "video", "FramePackGenerator", models=["2", 0], lora=["8", 0], **SIZE, **parts, filename_prefix="fp")
    finished(comfy, graph)

    bare = Bare(toy_config, tmp_path / "bare")
    toml, caches = bare.dataset(dataset)
    out, encoders = bare.folder, f"{ENCODERS} --image_encoder fp_siglip.safetensors"
    vision = "--vae hv_vae.safetensors --image_encoder fp_siglip.safetensors"
    bare.run("fpack_cache_latents.py", f"--dataset_config {toml} {vision}")
    bare.run("fpack_cache_text_encoder_outputs.py", f"--dataset_config {toml} {ENCODERS} --batch_size 1")
    bare.train(
        "fpack_train_network.py",
        f"--dit fp_dit.safetensors --dataset_config {toml} --network_module networks.lora_framepack "
        f"--discrete_flow_shift 3.0 --output_dir {out} --output_name my_framepack_lora",
    )
    bare.run(
        "fpack_generate_video.py",
        f"--dit fp_dit.safetensors --vae hv_vae.safetensors {encoders} --image_path {picture} "
        f"--prompt 0-1:rolls;;;2:falls --video_size 64 96 --video_seconds 0.8 --latent_window_size 2 --infer_steps 2 "
        f"--fps 30 --seed 1 --output_type video --lora_weight {out}/my_framepack_lora.safetensors "
        f"--lora_multiplier 1.0 --save_path {out}/video",
    )
    same_caches(comfy, "fp", caches)
    same_caches(comfy, "fp_te", caches)
    lora = "my_framepack_lora.safetensors"
    same(comfy.folder / "models" / "loras" / "musubi" / lora, out / lora)
    same(comfy.folder / "output" / "musubi" / "fp.mp4", next((out / "video").glob("*.mp4")))


@pytest.mark.parametrize(
    ("name", "family"), [("Krea2", "krea_2"), ("HunyuanVideo15", "hunyuan_1_5"), ("Flux2", "flux_2")]
)
def test_a_family_without_a_practice_install_trains_and_generates(
    comfy: Comfy, tmp_path: Path, name: str, family: str
) -> None:
    dataset = make_dataset(tmp_path / "data", size=(96, 64))
    changes = {**SHORT, "DatasetConfigLoader": {"path": str(dataset)}, f"{name}Models": MODELS[name]}
    graph = example(f"{family}_lora_training", changes)
    length = {"video_length": 5} if family == "hunyuan_1_5" else {}
    add(graph, "made", f"{name}Generator", models=["2", 0], lora=["8", 0], **SIZE, **length, filename_prefix=family)
    finished(comfy, graph)
    (lora,) = (comfy.folder / "models" / "loras" / "musubi").glob(f"my_{family}*.safetensors")
    tensors, _ = described(lora)
    assert len(tensors) > 20
    (made,) = (comfy.folder / "output" / "musubi").glob(f"{family}*.*")
    assert made.suffix == (".mp4" if length else ".png")
