"""The command ``demo``: dataset, caches, LoRA and video."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families import Generator, LatentCache, LoRATrainer, ModelsNode, Node, TextEncoderCache
from musubi_nodes.families.fields import socket_class
from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.demo_dataset import COLOURS, SIZE, first_frame, make_dataset
from musubi_nodes.hosts.terminal.run import run_file
from musubi_nodes.nodes.datasets.loader import DatasetConfigLoader
from musubi_nodes.nodes.settings import NetworkConfig, TrainingConfig
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.install import Demo
from musubi_nodes.runs.record.folder import runs_of, trainings
from musubi_nodes.runs.record.rerun_script import typed
from musubi_nodes.runs.record.series import whole

Kind = TypeVar("Kind", bound=type[Node])
PROMPT = "a red ball on a white table"
TRAINING = {"max_train_epochs": 20, "learning_rate": 0.01}
NETWORK = {"network_dim": 8, "network_alpha": 8.0}


def run_demo(output: Path, install: str, family: str = "") -> int:
    os.environ["MUSUBI_NODES_INSTALL"] = install
    family = family or next(iter(demos_of(install)))
    demo, output = demo_of(install, family), output.absolute()
    dataset = make_dataset(output / f"demo_{family}", demo.frames, demo.dataset)
    path = write_json(output / f"demo_{family}_workflow.json", workflow(dataset, install, family))
    print(f"dataset: {dataset.parent} ({len(COLOURS)} {'pictures' if demo.frames == 1 else 'videos'} with captions)")
    program = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli"]
    again = typed([*program, "run", str(path), "--install", install, "--output", str(output)])
    print(f"workflow: {path} (run it again with: {again})")
    code = run_file(path, (), output)
    _print_loss(family, output)
    return code


def demos_of(install: str) -> Mapping[str, Demo]:
    """Return the demos that the install's toy models allow."""
    families = {family.key for family in plugins().families}
    demos = {name: demo for name, demo in plugins().install(install).demos.items() if name in families}
    if not demos:
        raise MusubiError(
            "demo-models-missing",
            f"the demo needs the toy models of the miniature, which the install {install!r} does not have",
            fix="Run it without --install.",
        )
    return demos


def demo_of(install: str, family: str) -> Demo:
    demos = demos_of(install)
    if family not in demos:
        known = list(demos)
        raise MusubiError(
            "demo-unknown",
            f"there is no demo of {family!r}{did_you_mean(family, known)}",
            fix=f"Choose one of {', '.join(known)}.",
        )
    return demos[family]


def workflow(dataset: Path, install: str, family: str) -> dict[str, Any]:
    demo = demo_of(install, family)
    trainer = _node(LoRATrainer, family)
    models = {"models": ["2", 0]}
    generation = {"prompt": PROMPT, "width": SIZE[0], "height": SIZE[1], "infer_steps": 8, **demo.generation}
    steps = {
        "1": _step(DatasetConfigLoader, path=str(dataset)),
        "2": _step(_models_node(trainer), **demo.models),
        "3": _step(_node(LatentCache, family), dataset=["1", 0], **models),
        "4": _step(_node(TextEncoderCache, family), dataset=["1", 0], **models),
        "5": _step(TrainingConfig, **TRAINING),
        "9": _step(NetworkConfig, **NETWORK),
        "6": _step(trainer, latent_cache=["3", 0], text_cache=["4", 0], training=["5", 0], network=["9", 0],
                   output_name="demo_lora", **models),
        "7": _step(_node(Generator, family), lora=["6", 0], filename_prefix="demo", **models, **generation),
    }  # fmt: skip
    if demo.first_frame:
        steps["7"]["inputs"]["image"] = ["8", 0]
        steps["8"] = {"class_type": "LoadImage", "inputs": {"image": str(first_frame(dataset.parent))}}
    return steps


def _node(kind: Kind, family: str) -> Kind:
    return next(n for n in plugins().nodes if issubclass(n, kind) and n.family.key == family)  # type: ignore[attr-defined,return-value]


def _models_node(trainer: type[LoRATrainer]) -> type[Node]:
    wanted = socket_class(trainer.Inputs.model_fields["models"].annotation)
    return next(node for node in plugins().nodes if issubclass(node, ModelsNode) and node.models is wanted)


def _step(node: type[Node], **inputs: Any) -> dict[str, Any]:
    return {"class_type": node.id, "inputs": inputs}


def _print_loss(family: str, output: Path) -> None:
    name = _node(LoRATrainer, family).id.removeprefix("MusubiTuner_")
    run = next(folder for folder in trainings(output) if f"-{name}-" in folder.path.name)
    points = whole(run.metrics).points()
    first, last = points[0], points[-1]
    print(f"loss: {first['average']:.3g} at step {first['step']}, {last['average']:.3g} at step {last['step']}")
    print(f"run folders: {runs_of(output)}")
