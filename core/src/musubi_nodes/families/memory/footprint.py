"""Estimate of GPU memory, without VAE and text encoders.

Fitted to users' trainings within 15 %. For generating and Wan 2.1, tensors of a small DiT were counted (CPU, v0.3.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from musubi_nodes.datasets.config.buckets import SIZE_STEP
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate

GIB = 2**30
FIXED = 1.0
"""GiB of CUDA, kernels and small tensors."""
SCALED = 1.06
"""Overhead of fp8_scaled's block scales."""
LORA_BYTES = 10
"""Parameter and gradient in fp32, two 8-bit optimizer states."""


@dataclass(frozen=True)
class Shape:
    width: int
    height: int
    frames: int
    training: bool = True
    batch: int = 1
    rank: int = 32


def tokens(size: DitSize, shape: Shape) -> float:
    """Return the sequence length: 4 frames by 16 x 16 pixels per token."""
    latents: float = (shape.frames - 1) // FrameRule().step + 1
    if size.window:
        latents = min(latents, size.window) + size.context
    return latents * (shape.height // SIZE_STEP) * (shape.width // SIZE_STEP) * shape.batch


class Part(NamedTuple):
    name: str
    gib: float


def parts(size: DitSize, shape: Shape, memory: Memory, factor: float = 1.0) -> list[Part]:
    """Return the memory by part, times the ``factor`` of earlier runs."""
    return [Part(name, gib * factor) for name, gib in _parts(size, shape, memory)]


def _parts(size: DitSize, shape: Shape, memory: Memory) -> Iterator[Part]:
    swap = memory.blocks_to_swap or 0
    resident = min(size.blocks, size.blocks - swap + 2)
    width = {"off": 2.0, "fp8": 1.0, "fp8_scaled": SCALED}[memory.fp8]
    seen = tokens(size, shape)
    working = size.per_kilotoken[0 if shape.training else 1] * seen / 1000
    yield Part(translate("CUDA and small tensors"), FIXED)
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
    return sum(part.gib for part in _parts(size, shape, memory))
