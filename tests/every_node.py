"""Workflows that together hold every bundled node, on the miniature's toys: for the terminal and for a real ComfyUI.

``GRAPHS`` is in the order of running: a later one selects a LoRA that an earlier one has trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from musubi_nodes.families import LatentCache
from musubi_nodes.hosts.terminal.demo import demo_of, workflow
from musubi_nodes.hosts.terminal.demo_dataset import make_dataset
from musubi_nodes.plugins.manager import plugins
from musubi_nodes_miniature.demos import DEMOS

Graph = dict[str, Any]
WIDTH, HEIGHT, FRAMES = 96, 64, 5
REAL_ONLY = tuple(
    node.id.removesuffix("LatentCache")
    for node in plugins().nodes
    if issubclass(node, LatentCache) and node.family.key not in DEMOS
)
"""Begins of the ids of nodes whose scripts the miniature does not have: tests/real runs them."""


def node(name: str, /, **inputs: Any) -> dict[str, Any]:
    """An entry of the API format."""
    return {"class_type": name if name in ("PreviewImage", "SaveVideo") else f"MusubiTuner_{name}", "inputs": inputs}


def classes(graphs: Iterable[Graph]) -> set[str]:
    """The class of every node in them."""
    return {entry["class_type"] for graph in graphs for entry in graph.values()}


def wan(folder: Path) -> Graph:
    """Training with all settings, samples, a batch of two videos, monitors, viewer, and a LoRA that is converted."""
    made = _demo(folder, "wan", video_length=FRAMES, filename_prefix="every")
    made["6"]["inputs"] |= {"optimizer": ["10", 0], "sampling": ["12", 0], "memory": ["13", 0]}
    made["7"]["inputs"]["prompts"] = ["14", 0]
    return made | {
        "10": node("OptimizerConfig", optimizer_type="AdamW"),
        "11": node("Prompt", prompt="a red ball", width=WIDTH, height=HEIGHT, frames=FRAMES, steps=2),
        "12": node("SamplingConfig", sample_every_n_epochs=1, prompts=["11", 0]),
        "13": node("MemoryOptimizer", blocks_to_swap=1),
        "14": node("BatchProcessor", text="a red ball\na green ball"),
        "15": node("TrainingMonitor", run=["6", 1], width=640, height=320),
        "16": node("PreviewImage", images=["15", 0]),
        "17": node("DatasetViewer", dataset=["1", 0], per_page=2, columns=2, size=160),
        "18": node("PreviewImage", images=["17", 0]),
        "19": node("LoRAFormatConverter", lora=["6", 0], output_name="every_converted"),
        "20": node("PreviewImage", images=["7", 1]),
        "21": node("ResourceMonitor", run=["6", 1], seconds=0, width=640),
        "22": node("PreviewImage", images=["21", 0]),
    }


def hunyuan(folder: Path) -> Graph:
    """A dataset that is made on the canvas, and the average of a training's checkpoints."""
    made = _demo(folder, "hunyuan", video_length=FRAMES, filename_prefix="every_hv")
    source = str(Path(made["1"]["inputs"]["path"]).parent)
    made["1"] = node("DatasetConfigEditor", name="every", source=source, width=WIDTH, height=HEIGHT, family="hunyuan")
    made["5"]["inputs"] |= {"max_train_epochs": 2, "save_every_n_epochs": 1}
    made["6"]["inputs"]["output_name"] = "every_hv"
    return made | {
        "10": node("LoRAPostHocEMA", run=["6", 1], output_name="every_ema"),
        "11": node("LoRACombiner", lora=["10", 0], rank=2, output_name="every_combined"),
    }


def framepack(folder: Path) -> Graph:
    """Two sections, each with a prompt."""
    made = _demo(folder, "framepack")
    made["7"]["inputs"] |= {"section": ["11", 0]}
    return made | {
        "10": node("FramePackSection", prompt="a red ball", sections=1),
        "11": node("FramePackSection", prompt="a blue ball", previous=["10", 0]),
    }


def z_image(folder: Path) -> Graph:
    """Samples, a batch of two pictures that ComfyUI shows, and a whole model."""
    made = _demo(folder, "z_image")
    made["6"]["inputs"] |= {"sampling": ["11", 0]}
    made["7"]["inputs"]["prompts"] = ["12", 0]
    return made | {
        "10": node("Prompt", prompt="a red ball", width=WIDTH, height=HEIGHT, steps=2),
        "11": node("SamplingConfig", sample_every_n_epochs=1, prompts=["10", 0]),
        "12": node("BatchProcessor", text="a red ball\na green ball"),
        "13": node("PreviewImage", images=["7", 0]),
        "14": node(
            "ZImageFineTuner",
            models=["2", 0],
            latent_cache=["3", 0],
            text_cache=["4", 0],
            training=["5", 0],
            output_name="every_model",
        ),
    }


def tools(folder: Path) -> Graph:
    """A LoRA of ``hunyuan`` merged into its DiT, and a video that is read and written."""
    clips = make_dataset(folder / "clips", 9, size=(WIDTH, HEIGHT)).parent
    return {
        "1": node("LoRASelect", lora="musubi/every_hv.safetensors", multiplier=0.5),
        "2": node("LoRAMerger", lora=["1", 0], dit=demo_of("miniature", "hunyuan").models["dit"]),
        "3": node("VideoInput", file=str(clips / "red_ball.mp4"), length=FRAMES),
        "4": node("VideoOutput", images=["3", 0], fps=12.0, format="webm-vp9", filename_prefix="every_output"),
        "5": node("PreviewImage", images=["3", 0]),
        "6": node("SaveVideo", video=["3", 1], filename_prefix="every_saved", format="auto", codec="auto"),
    }


def check_images(images: Any) -> None:
    """An IMAGE is [frames, height, width, 3] in 0..1; and not nearly all black or white, as what was clipped is."""
    frames = np.asarray(images, np.float32)
    assert frames.ndim == 4 and frames.shape[3] == 3 and 0 <= frames.min() <= frames.max() <= 1
    assert ((frames > 0.02) & (frames < 0.98)).mean() > 0.05


GRAPHS: dict[str, Callable[[Path], Graph]] = {
    "wan": wan,
    "hunyuan": hunyuan,
    "framepack": framepack,
    "z_image": z_image,
    "tools": tools,
}


def _demo(folder: Path, family: str, **generation: Any) -> Graph:
    demo = demo_of("miniature", family)
    made = workflow(make_dataset(folder / family, demo.frames, demo.dataset, (WIDTH, HEIGHT)), "miniature", family)
    made["5"]["inputs"]["max_train_epochs"] = 1
    made["7"]["inputs"] |= {"width": WIDTH, "height": HEIGHT, "infer_steps": 2, **generation}
    return made
