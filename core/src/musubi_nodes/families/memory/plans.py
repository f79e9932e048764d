"""Memory plans: the mildest one that fits, and the next stronger one after "out of memory"."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from musubi_nodes.families.family import Family, Spelling
from musubi_nodes.families.memory.footprint import Shape, parts
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory

HEADROOM = 0.92
"""Share of the memory that a plan may fill: estimates are off, and other programs draw windows."""
SMALL_CARD = 16.0
"""GiB; below it text encoders go to 8 bits and the VAE works in tiles."""
FIELDS = (
    "fp8 fp8_text_encoder blocks_to_swap gradient_checkpointing gradient_checkpointing_cpu_offload vae_tiling "
    "vae_chunk_size vae_spatial_tile_sample_min_size block_swap_h2d_only block_swap_ring_size"
).split()
"""What a plan decides; attention and compilation stay as they are chosen."""
SPEED_ONLY = (
    "blocks_to_swap use_pinned_memory_for_block_swap block_swap_h2d_only block_swap_ring_size vae_cache_cpu "
    "disable_numpy_memmap img_in_txt_in_offloading oom_retries"
).split()
"""What changes speed and memory, but nothing of what is made."""
TILES = {"vae_tiling": True, "vae_chunk_size": 32, "vae_spatial_tile_sample_min_size": 128}
OFFLOAD = {"gradient_checkpointing_cpu_offload": True}
RING = {"block_swap_h2d_only": True, "block_swap_ring_size": 1}


@dataclass(frozen=True)
class Plan:
    """A memory plan with its estimate in GiB by part, and why each thing is in it."""

    memory: Memory
    parts: Mapping[str, float]
    reasons: tuple[str, ...]
    budget: float

    @property
    def total(self) -> float:
        """GiB altogether."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether it stays below the budget, with some headroom."""
        return self.total <= self.budget * HEADROOM

    def text(self) -> str:
        """The plan for people: what it takes, and why."""
        verdict = "fits into" if self.fits else "is more than fits into"
        lines = [estimate(self.parts), f"{verdict} {self.budget:.1f} GiB", *self.reasons]
        if not self.fits:
            lines.append("Use a smaller resolution or fewer frames: no setting saves more.")
        return "\n".join(lines)


def estimate(by_part: Mapping[str, float]) -> str:
    """What a plan takes, altogether and by part."""
    rows = [f"{gib:6.1f} GiB  {name}" for name, gib in by_part.items()]
    return "\n".join([f"about {sum(by_part.values()):.1f} GiB", *rows])


def same_result(memory: Memory) -> Memory:
    """The plan without what changes speed and memory only."""
    return memory.model_copy(update={name: Memory.model_fields[name].default for name in SPEED_ONLY})


def best_fp8(spelling: Spelling) -> str:
    """The way to 8 bits that the script offers: scaled where it can, as it loses less quality."""
    offered = {name for name, options in spelling.get("fp8", {}).items() if not isinstance(options, str)}
    return next((name for name in ("fp8_scaled", "fp8") if name in offered), "off")


def plan(family: Family, size: DitSize, shape: Shape, budget: float, chosen: Memory, factor: float = 1.0) -> Plan:
    """The mildest plan whose estimate stays below ``budget`` GiB; the strongest where none does.

    ``chosen`` keeps what a plan does not decide; ``factor`` corrects the estimate by what earlier runs took.
    """
    spelling = family.trainer_spelling if shape.training else family.generator_spelling
    found: Plan | None = None
    for values, reasons in _ladder(spelling, size, shape, budget):
        memory = chosen.model_copy(update={**_off(shape), **values})
        found = Plan(memory, parts(size, shape, memory, factor), tuple(reasons), budget)
        if found.fits:
            return found
    assert found is not None
    return found


def _off(shape: Shape) -> dict[str, Any]:
    defaults = {name: Memory.model_fields[name].default for name in FIELDS}
    return defaults | {"gradient_checkpointing": shape.training}


def _ladder(
    spelling: Spelling, size: DitSize, shape: Shape, budget: float
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Sets of values from mild to strong, each with its reasons."""
    values: dict[str, Any] = {}
    reasons = ["gradient_checkpointing: activations are computed again instead of kept"] if shape.training else []
    if budget < SMALL_CARD:
        values |= {"fp8_text_encoder": True, **TILES}
        reasons.append(f"fp8_text_encoder and VAE tiles: less than {SMALL_CARD:.0f} GiB may be used")
    yield dict(values), list(reasons)
    if (fp8 := best_fp8(spelling)) != "off":
        values["fp8"] = fp8
        reasons.append(f"{fp8}: half the weights' memory")
        yield dict(values), list(reasons)
    most = size.most_swap[0 if shape.training else 1]
    for swap in range(1, most + 1):
        yield {**values, "blocks_to_swap": swap}, [*reasons, f"blocks_to_swap {swap} of at most {most}: slower"]
    if not shape.training:
        return
    reasons.append("gradient_checkpointing_cpu_offload: what is kept waits in main memory, slower")
    for swap in range(most + 1):
        told = [f"blocks_to_swap {swap} of at most {most}: slower"] if swap else []
        yield {**values, **OFFLOAD, "blocks_to_swap": swap or None}, [*reasons, *told]
    told = [f"blocks_to_swap {most}: all that is possible", "block_swap_h2d_only with a ring of 1 (needs v0.3.2)"]
    yield {**values, **OFFLOAD, **RING, "blocks_to_swap": most}, [*reasons, *told]


def stronger(
    memory: Memory, spelling: Spelling, most_swap: int | None, training: bool, known: Container[str]
) -> tuple[Memory, str] | None:
    """The next plan after "out of memory", and what changes in it; ``None`` where nothing is left to save.

    ``known`` are the options of the install's script: a step that it does not have is passed over.
    """
    for wanted, told in _next_steps(memory, spelling, most_swap or 0, training):
        if all(name == "fp8" or name in known for name in wanted):
            return memory.model_copy(update=wanted), told
    return None


def _next_steps(memory: Memory, spelling: Spelling, most: int, training: bool) -> Iterator[tuple[dict[str, Any], str]]:
    if training and not memory.gradient_checkpointing:
        yield {"gradient_checkpointing": True}, "turn on gradient_checkpointing"
    if memory.fp8 == "off" and (fp8 := best_fp8(spelling)) != "off":
        yield {"fp8": fp8}, f"set fp8 to {fp8}"
    swap = memory.blocks_to_swap or 0
    if swap < most:
        more = min(swap + max(most // 4, 1), most)
        yield {"blocks_to_swap": more}, f"raise blocks_to_swap from {swap} to {more}"
    if training and not memory.gradient_checkpointing_cpu_offload:
        yield dict(OFFLOAD), "turn on gradient_checkpointing_cpu_offload"
    if training and swap and not memory.block_swap_h2d_only:
        yield dict(RING), "turn on block_swap_h2d_only with block_swap_ring_size 1"
    if not training and not memory.vae_tiling:
        yield dict(TILES), "turn on vae_tiling with vae_chunk_size 32 and vae_spatial_tile_sample_min_size 128"
