"""How much GPU memory a run takes: a first estimate by parts, to be corrected by what earlier runs took.

The figures were fitted on reports of users and on musubi-tuner's documents (v0.3.4) and hold within about 15 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory

GIB = 2**30
FIXED = 1.0
"""GiB of CUDA itself, kernels and small tensors."""
SCALED = 1.06
"""fp8_scaled keeps a scale for each block of weights."""
LORA_BYTES = 10
"""A LoRA parameter and its gradient in fp32, and two states of an 8-bit optimizer."""
GENERATING = 0.5
"""Without gradients about half of the working memory is needed."""


@dataclass(frozen=True)
class Shape:
    """What is trained or generated, as far as memory depends on it: pixels, frames, batch, LoRA rank."""

    width: int
    height: int
    frames: int
    training: bool = True
    batch: int = 1
    rank: int = 32

    @property
    def tokens(self) -> int:
        """The VAE makes one latent of 8 x 8 pixels and four frames, the DiT takes 2 x 2 of them at once."""
        return ((self.frames - 1) // 4 + 1) * (self.height // 16) * (self.width // 16) * self.batch


def parts(size: DitSize, shape: Shape, memory: Memory, factor: float = 1.0) -> dict[str, float]:
    """GiB by part; ``factor`` corrects them by what earlier runs took."""
    return {name: gib * factor for name, gib in _parts(size, shape, memory).items()}


def _parts(size: DitSize, shape: Shape, memory: Memory) -> dict[str, float]:
    swap = memory.blocks_to_swap or 0
    resident = min(size.blocks, size.blocks - swap + 2)
    width = {"off": 2.0, "fp8": 1.0, "fp8_scaled": SCALED}[memory.fp8]
    working = size.per_kilotoken * shape.tokens / 1000
    found = {"CUDA and small things": FIXED, f"{resident} of {size.blocks} blocks": resident * size.block * width}
    if not shape.training:
        return found | {"working memory": working * GENERATING}
    found["working memory"] = working
    kept = size.layers * shape.tokens * size.hidden * 2 / GIB
    if not memory.gradient_checkpointing:
        found["all activations"] = kept * 8
    elif not memory.gradient_checkpointing_cpu_offload:
        found["checkpoints"] = kept
    parameters = size.blocks * size.lora_width * shape.rank
    return found | {"LoRA and optimizer": parameters * LORA_BYTES / GIB}


def total(size: DitSize, shape: Shape, memory: Memory) -> float:
    """GiB altogether."""
    return sum(parts(size, shape, memory).values())
