"""``musubi-nodes demo``: a small real dataset, both caches, a LoRA and a video, on the miniature by default."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import write_json, write_text
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.hosts.terminal.workflow import read_workflow, run_workflow
from musubi_nodes.plugins.manager import Plugins, plugins
from musubi_nodes.runs.folder import RunFolder

SIZE = (192, 128)
COLOURS = {"red": (200, 60, 50), "green": (70, 160, 80), "blue": (60, 90, 190), "yellow": (220, 190, 70)}


def run_demo(output: Path, install: str) -> int:
    """Make everything below ``output`` and say where it is."""
    os.environ["MUSUBI_NODES_INSTALL"] = install
    services = plugins()
    if not services.install(install).models:
        raise MusubiError(
            f"the demo needs the toy models of the miniature, which the install {install!r} does not have",
            fix="Run it without --install.",
        )
    output = output.absolute()
    dataset = make_dataset(output / "demo_dataset")
    path = write_json(output / "demo_workflow.json", workflow(dataset, install))
    print(f"dataset: {dataset.parent} ({len(COLOURS)} pictures with captions)")
    again = shlex.join(["musubi-nodes", "run", str(path), "--install", install, "--output", str(output)])
    print(f"workflow: {path} (run it again with: {again})")
    host = TerminalHost(output, services.config)
    for step, context in run_workflow(read_workflow(path, services.nodes), host, services):
        for text in context.texts:
            print(f"{step.node.title}: {text}")
        for picture in context.pictures:
            print(f"{step.node.title}: {picture}")
    _say_loss(services, output)
    return 0


def make_dataset(folder: Path) -> Path:
    """Four pictures of coloured balls with captions, and the TOML that names them."""
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, colour) in enumerate(COLOURS.items()):
        picture = Image.new("RGB", SIZE, (235, 232, 225))
        left = 24 + 22 * number
        ImageDraw.Draw(picture).ellipse((left, 34, left + 64, 98), fill=colour)
        picture.save(folder / f"{name}_ball.png")
        write_text(folder / f"{name}_ball.txt", f"a {name} ball on a white table")
    lines = [
        "[general]",
        "resolution = [192, 128]",
        'caption_extension = ".txt"',
        "batch_size = 1",
        "enable_bucket = true",
        "",
        "[[datasets]]",
        f"image_directory = {json.dumps(folder.as_posix())}",
    ]
    return write_text(folder / "demo.toml", "\n".join(lines) + "\n")


def workflow(dataset: Path, install: str) -> dict[str, object]:
    """Dataset -> both caches -> trainer -> generator, as an API file."""
    models = {
        "task": "t2v-14B",
        "dit": f"{install}/wan_t2v_14b.safetensors",
        "vae": f"{install}/wan_vae.safetensors",
        "t5": f"{install}/umt5_xxl.safetensors",
    }
    training = {"max_train_epochs": 20, "learning_rate": 0.01, "network_dim": 8, "network_alpha": 8.0}
    generation = {"prompt": "a red ball on a white table", "width": 192, "height": 128, "video_length": 17}
    return {
        "1": _node("DatasetConfigLoader", path=str(dataset)),
        "2": _node("WanModels", **models),
        "3": _node("WanLatentCache", dataset=["1", 0], models=["2", 0]),
        "4": _node("WanTextEncoderCache", dataset=["1", 0], models=["2", 0]),
        "5": _node("TrainingConfig", **training),
        "6": _node("WanLoRATrainer", models=["2", 0], latent_cache=["3", 0], text_cache=["4", 0], training=["5", 0],
                   output_name="demo_lora"),
        "7": _node("WanGenerator", models=["2", 0], lora=["6", 0], infer_steps=8,
                   filename_prefix="demo", **generation),
    }  # fmt: skip


def _node(name: str, **inputs: object) -> dict[str, object]:
    return {"class_type": f"MusubiTuner_{name}", "inputs": inputs}


def _say_loss(services: Plugins, output: Path) -> None:
    runs = sorted((output / "musubi" / "runs").glob("*-WanLoRATrainer-*"))
    rows = RunFolder(runs[-1]).points()
    first, last = rows[0], rows[-1]
    print(f"loss: {first['average']:.3g} at step {first['step']}, {last['average']:.3g} at step {last['step']}")
    print(f"run folders: {output / 'musubi' / 'runs'}")
