"""The node Memory Optimizer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, Field

from musubi_nodes.datasets.config.buckets import SIZE_STEP
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, family_named
from musubi_nodes.families.fields import FamilyName, Widget
from musubi_nodes.families.memory.footprint import GIB, Shape, parts
from musubi_nodes.families.memory.measured import correction
from musubi_nodes.families.memory.needs import attentions
from musubi_nodes.families.memory.plans import CARD_SIZES, estimate, plan
from musubi_nodes.families.memory.possible import check_possible
from musubi_nodes.families.memory.shapes import largest
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.node import Node, NodeOutputs
from musubi_nodes.families.script_inputs import DEVICES
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sizes import whole_blocks
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.i18n import translate
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.hardware.devices import gpus

NEW = Widget(added=1)
RARE = Widget(added=1, advanced=True)
LaterSide = Annotated[int, Widget(step=SIZE_STEP, added=1), AfterValidator(whole_blocks)]
MODES = ("manual", "auto", *(f"{size} GB" for size in CARD_SIZES))
if TYPE_CHECKING:
    Mode = str
else:
    Mode = Literal[MODES]
DESKTOP = 1.0
"""GiB that other programs use on any card."""


class MemoryOptimizer(Node):
    """How to save memory: 8-bit weights, block swap, checkpointing, attention, VAE tiling. Connect it to caches,
    trainers and generators; each uses what it supports. With mode auto, or a card, it chooses precision, swap,
    checkpointing, attention and VAE from the family, resolution, frames and rank, and says why; those widgets are
    ignored then, except an attention other than sdpa."""

    id, title, category = "MusubiTuner_MemoryOptimizer", "Memory Optimizer", "MusubiTuner/Settings"
    search = ("vram", "oom", "out of memory", "fp8", "block swap", "low memory", "メモリ不足", "省メモリ")

    class Inputs(Memory):
        dataset: Dataset | None = Field(None, description="Takes resolution, frames and batch size from this dataset.")
        mode: Annotated[Mode, NEW] = Field(
            "manual", description="manual: the widgets. auto: what is free on the GPU now. Or a card's size."
        )
        family: Annotated[str | None, FamilyName(), NEW] = Field(
            None, description="The model family of the plan; required unless mode is manual."
        )
        use: Annotated[Literal["training", "generating"], NEW] = Field(
            "training", description="What the plan is for: gradients need more."
        )
        width: LaterSide = Field(832, ge=16, le=4096, description="Width that is trained or generated.")
        height: LaterSide = Field(480, ge=16, le=4096, description="Height that is trained or generated.")
        frames: Annotated[int, NEW] = Field(1, ge=1, le=20_000, description="Frames; 1 for pictures.")
        rank: Annotated[int, NEW] = Field(32, ge=1, le=1024, description="network_dim of the LoRA.")
        model_size: Annotated[str, RARE] = Field(
            "", description="The model's size, such as 1.3B. Empty: the most common one."
        )
        free_memory: Annotated[float | None, Widget(added=1, advanced=True, unset=0.0)] = Field(
            None, ge=1.0, le=1000.0, description="GiB to use instead of what is free. 0: look."
        )
        device: Annotated[DEVICES, RARE] = Field("auto", description="The GPU that mode auto looks at.")

    class Outputs(NodeOutputs):
        memory: Memory = Field(description="The memory plan, for caches, trainers and generators.")
        report: str = Field("", description="The memory that the plan needs, by part, and the reasons for it.")

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        chosen = Memory(**{name: getattr(inputs, name) for name in Memory.model_fields})
        if inputs.mode == "manual":
            _check_manual(inputs.family, inputs.model_size, chosen, inputs.use == "training", context)
        found = _sized(inputs.mode, inputs.family, inputs.model_size, context)
        if found is None:
            return self.Outputs(memory=chosen)
        family, size = found
        shape = _shape(inputs, size)
        factor = correction(context.host.output_folder, family.key, size, shape)
        if inputs.mode == "manual":
            memory, report = chosen, estimate(parts(size, shape, chosen, factor))
        else:
            budget = _budget(inputs.mode, inputs.free_memory, inputs.device, context)
            planned = plan(family, size, shape, budget, chosen, factor, _attentions(context))
            memory, report = planned.memory, planned.text()
        report += f"\n{_how(factor)}"
        context.show(text=report)
        return self.Outputs(memory=memory, report=report)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        mode, family, size = values["mode"], values["family"], values["model_size"]
        if not linked & {"mode", "family", "model_size"}:
            _sized(mode, family, size, context)
            if mode == "manual" and "use" not in linked:
                known = Memory.model_construct(**{name: values[name] for name in Memory.model_fields})
                _check_manual(family, size, known, values["use"] == "training", context)
        if mode == "auto" and values["free_memory"] is None and not linked & {"mode", "free_memory", "device"}:
            _free(values["device"])

    def changed(self, inputs: Inputs, context: Context) -> str:
        looks = inputs.mode == "auto" and inputs.free_memory is None
        return uuid4().hex if looks else ""


def _check_manual(family: str | None, size: str, chosen: Memory, training: bool, context: Context) -> None:
    if found := family_named(context.services.families, family):
        check_possible(found, _size(found, size) if found.sizes else None, chosen, training)


def _how(factor: float) -> str:
    if factor == 1.0:
        return translate("an estimate without VAE and text encoders; a finished run of this shape will improve it")
    return translate("corrected by {factor:.2f}, as measured in earlier runs of this shape", factor=factor)


def _sized(mode: str, family: str | None, size: str, context: Context) -> tuple[Family, DitSize] | None:
    """Return family and size; ``None`` if unknown and not needed."""
    found = family_named(context.services.families, family)
    if mode == "manual" and not (found and found.sizes):
        return None
    if found is None:
        raise MusubiError("setting-missing", f"mode {mode} needs to know the model family", fix="Choose family.")
    return found, _size(found, size)


def _attentions(context: Context) -> frozenset[str] | None:
    try:
        return attentions(context.services.install())
    except MusubiError:
        return None


def _size(family: Family, name: str) -> DitSize:
    sizes = {size.name: size for size in family.sizes}
    if not sizes:
        raise MusubiError(
            "family-memory-unknown",
            f"nothing is known of the memory that {family.title} takes",
            fix="Set mode to manual.",
        )
    if name and name not in sizes:
        near = did_you_mean(name, list(sizes))
        raise MusubiError(
            "model-size-unknown",
            f"{family.title} has no size {name[:40]!r}{near}",
            fix=translate("Known: {names}.", names=", ".join(sizes)),
        )
    return sizes[name] if name else family.sizes[0]


def _shape(inputs: Any, size: DitSize) -> Shape:
    training = inputs.use == "training"
    rank = inputs.rank if training else Shape.rank
    if inputs.dataset is not None:
        return largest(inputs.dataset.config, size, rank=rank, training=training)
    return Shape(inputs.width, inputs.height, inputs.frames, training, rank=rank)


def _budget(mode: str, given: float | None, device: str, context: Context) -> float:
    if given is not None:
        return given
    if mode != "auto":
        return float(mode.split()[0]) - DESKTOP
    context.host.release_models()  # like a run
    return _free(device)


def _free(device: str) -> float:
    chosen = gpus(device, environment=os.environ)
    facts = gpu.memory(chosen[0]) if chosen else None
    if facts is None:
        raise MusubiError(
            "gpu-memory-unknown",
            "the free memory of the GPU is not known",
            why="The NVIDIA driver does not answer here.",
            fix="Set mode to the card's size, or give free_memory.",
        )
    return facts[0] / GIB
