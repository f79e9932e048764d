"""How much GPU memory a run takes: a first estimate by parts, to be corrected by what earlier runs took.

Where users measured trainings, the figures were fitted on them and meet them within 15 %. Generating was measured by
nobody: there, and for Wan 2.1, the tensors were counted that a small DiT of the same proportions holds at once (on the
CPU, v0.3.4), and enlarged by as much as a measured training took more than its count. Both agree with what is known to
fit where. The VAE and the text encoders, which have their turn before or after the DiT, are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from musubi_nodes.datasets.buckets import SIZE_STEP
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate

GIB = 2**30
FIXED = 1.0
"""GiB of CUDA itself, kernels and small tensors."""
SCALED = 1.06
"""fp8_scaled keeps a scale for each block of weights."""
LORA_BYTES = 10
"""A LoRA parameter and its gradient in fp32, and two states of an 8-bit optimizer."""


@dataclass(frozen=True)
class Shape:
    """What is trained or generated, as far as memory depends on it: pixels, frames, batch, LoRA rank."""

    width: int
    height: int
    frames: int
    training: bool = True
    batch: int = 1
    rank: int = 32


def tokens(size: DitSize, shape: Shape) -> float:
    """What the DiT sees at once: the VAE makes one latent frame of four, the DiT's blocks take 16 x 16 pixels of it."""
    latents: float = (shape.frames - 1) // FrameRule().step + 1
    if size.window:
        latents = min(latents, size.window) + size.context
    return latents * (shape.height // SIZE_STEP) * (shape.width // SIZE_STEP) * shape.batch


class Part(NamedTuple):
    """What takes memory, in the reader's words, and how many GiB."""

    name: str
    gib: float


def parts(size: DitSize, shape: Shape, memory: Memory, factor: float = 1.0) -> list[Part]:
    """What the memory goes to; ``factor`` corrects it by what earlier runs took."""
    return [Part(name, gib * factor) for name, gib in _parts(size, shape, memory)]


def _parts(size: DitSize, shape: Shape, memory: Memory) -> Iterator[Part]:
    swap = memory.blocks_to_swap or 0
    resident = min(size.blocks, size.blocks - swap + 2)
    width = {"off": 2.0, "fp8": 1.0, "fp8_scaled": SCALED}[memory.fp8]
    seen = tokens(size, shape)
    working = size.per_kilotoken[0 if shape.training else 1] * seen / 1000
    yield Part(translate("CUDA and small things"), FIXED)
    yield Part(
        translate("{resident} of {all} blocks", resident=resident, all=size.blocks), resident * size.block * width
    )
    yield Part(translate("working memory"), working)
    if not shape.training:
        return
    kept = size.layers * seen * size.hidden * 2 / GIB
    if not memory.gradient_checkpointing:
        yield Part(translate("all activations"), kept * 8)
    elif not memory.gradient_checkpointing_cpu_offload:
        yield Part(translate("checkpoints"), kept)
    parameters = size.blocks * size.lora_width * shape.rank
    yield Part(translate("LoRA and optimizer"), parameters * LORA_BYTES / GIB)


def total(size: DitSize, shape: Shape, memory: Memory) -> float:
    """GiB altogether."""
    return sum(part.gib for part in _parts(size, shape, memory))
