"""How to save memory: chosen by hand, for a card, or for what is free now."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, Field

from musubi_nodes.datasets.buckets import SIZE_STEP
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, family_named
from musubi_nodes.families.fields import FamilyName, Widget
from musubi_nodes.families.memory.footprint import GIB, Shape, parts
from musubi_nodes.families.memory.measured import correction
from musubi_nodes.families.memory.plans import estimate, plan
from musubi_nodes.families.memory.shapes import largest
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.node import Node, NodeOutputs
from musubi_nodes.families.script import DEVICES
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sizes import whole_blocks
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.hardware.devices import gpus

NEW = Widget(added=1)
RARE = Widget(added=1, advanced=True)
LaterSide = Annotated[int, Widget(step=SIZE_STEP, added=1), AfterValidator(whole_blocks)]
DESKTOP = 1.0
"""GiB that a desktop and other programs hold on a card of their own."""


class MemoryOptimizer(Node):
    """How to save memory: 8-bit weights, block swap, checkpointing, attention, VAE tiling. Connect it to caches,
    trainers and generators; each takes what it has. With mode auto, or a card, it works out precision, swap,
    checkpointing and tiles itself, from the family, resolution, frames and rank, and says why; their widgets are not
    looked at then."""

    id, title, category = "MusubiTuner_MemoryOptimizer", "Memory Optimizer", "MusubiTuner/Settings"

    class Inputs(Memory):
        dataset: Dataset | None = Field(None, description="Takes resolution, frames and batch size from this dataset.")
        mode: Annotated[
            Literal["manual", "auto", "8 GB", "12 GB", "16 GB", "24 GB", "32 GB", "48 GB", "80 GB"], NEW
        ] = Field("manual", description="manual: the widgets. auto: what is free on the GPU now. Or a card's size.")
        family: Annotated[str | None, FamilyName(), NEW] = Field(
            None, description="For which model family the plan is; needed unless mode is manual."
        )
        use: Annotated[Literal["training", "generating"], NEW] = Field(
            "training", description="What the plan is for: gradients need more."
        )
        width: LaterSide = Field(832, ge=16, le=4096, description="Width that is trained or generated.")
        height: LaterSide = Field(480, ge=16, le=4096, description="Height that is trained or generated.")
        frames: Annotated[int, NEW] = Field(1, ge=1, le=20_000, description="Frames; 1 for pictures.")
        rank: Annotated[int, NEW] = Field(32, ge=1, le=1024, description="network_dim of the LoRA.")
        model_size: Annotated[str, RARE] = Field(
            "", description="Which size of the family, such as 1.3B. Empty: the one that most people use."
        )
        free_memory: Annotated[float | None, Widget(added=1, advanced=True, unset=0.0)] = Field(
            None, ge=1.0, le=1000.0, description="GiB that may be used, instead of what is found. 0: look."
        )
        device: Annotated[DEVICES, RARE] = Field("auto", description="The GPU that mode auto looks at.")

    class Outputs(NodeOutputs):
        memory: Memory = Field(description="The memory plan, for caches, trainers and generators.")
        report: str = Field("", description="What the plan takes by part, and why each thing is in it.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        chosen = Memory(**{name: getattr(inputs, name) for name in Memory.model_fields})
        family = family_named(context.services.families, inputs.family)
        manual = inputs.mode == "manual"
        if manual and not (family and family.sizes):
            return self.Outputs(memory=chosen)
        if family is None:
            raise MusubiError(f"mode {inputs.mode} needs to know the model family", fix="Choose family.")
        size, shape = _size(family, inputs.model_size), _shape(inputs)
        factor = correction(context.host.output_folder, family.key, size, shape)
        if manual:
            memory, report = chosen, estimate(parts(size, shape, chosen, factor))
        else:
            found = plan(family, size, shape, _budget(inputs, context), chosen, factor)
            memory, report = found.memory, found.text()
        report += _how(factor)
        context.show(text=report)
        return self.Outputs(memory=memory, report=report)

    def changed(self, inputs: Any, context: Context) -> str:
        looks = inputs.mode == "auto" and inputs.free_memory is None
        return uuid4().hex if looks else ""


def _how(factor: float) -> str:
    return "" if factor == 1.0 else f"\ncorrected by {factor:.2f}: what earlier runs of this shape took"


def _size(family: Family, name: str) -> DitSize:
    sizes = {size.name: size for size in family.sizes}
    if not sizes:
        raise MusubiError(f"nothing is known of the memory that {family.title} takes", fix="Set mode to manual.")
    if name and name not in sizes:
        near = did_you_mean(name, list(sizes))
        raise MusubiError(f"{family.title} has no size {name[:40]!r}{near}", fix=f"Known are: {', '.join(sizes)}.")
    return sizes[name] if name else family.sizes[0]


def _shape(inputs: Any) -> Shape:
    training = inputs.use == "training"
    if inputs.dataset is not None:
        return largest(inputs.dataset.config, rank=inputs.rank, training=training)
    return Shape(inputs.width, inputs.height, inputs.frames, training, rank=inputs.rank)


def _budget(inputs: Any, context: Context) -> float:
    """GiB that a run may use."""
    if inputs.free_memory is not None:
        return float(inputs.free_memory)
    if inputs.mode != "auto":
        return float(inputs.mode.split()[0]) - DESKTOP
    chosen = gpus(inputs.device, environment=os.environ)
    context.host.release_models()  # a run does so too, before it starts
    facts = gpu.memory(chosen[0]) if chosen else None
    if facts is None:
        raise MusubiError(
            "the free memory of the GPU is not known",
            why="The NVIDIA driver does not answer here.",
            fix="Set mode to the card's size, or give free_memory.",
        )
    return facts[0] / GIB
