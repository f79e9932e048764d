"""Memory plans: the mildest that fits, and the next one on failure."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from musubi_nodes.families.family import Family, OptionMap, option_names
from musubi_nodes.families.memory.footprint import Part, Shape, parts
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate

HEADROOM = 0.92
"""Share that a plan may fill."""
SMALL_CARD = 16.0
"""GiB; below it 8-bit text encoders and a sparing VAE."""
CARD_SIZES = (8, 12, 16, 24, 32, 48, 80)
FIELDS = (
    "fp8 fp8_text_encoder blocks_to_swap gradient_checkpointing gradient_checkpointing_cpu_offload attention "
    "split_attn vae_tiling vae_chunk_size vae_spatial_tile_sample_min_size vae_cache_cpu block_swap_h2d_only "
    "block_swap_ring_size"
).split()
IN_MAIN_MEMORY = (
    "use_pinned_memory_for_block_swap",
    "disable_numpy_memmap",
    "vae_cache_cpu",
    "gradient_checkpointing_cpu_offload",
)
"""Fields that use more RAM."""
OFFLOAD = {"gradient_checkpointing_cpu_offload": True}
RING = {"block_swap_h2d_only": True, "block_swap_ring_size": 1}


@dataclass(frozen=True)
class Plan:
    memory: Memory
    parts: Sequence[Part]
    reasons: tuple[str, ...]
    budget: float
    notes: str = ""

    @property
    def total(self) -> float:
        return sum(part.gib for part in self.parts)

    @property
    def fits(self) -> bool:
        return self.total <= self.budget * HEADROOM

    def text(self) -> str:
        lines = [estimate(self.parts), *self.reasons]
        if self.fits:
            lines.insert(1, translate("fits into {gib:.1f} GiB", gib=self.budget))
        else:
            lines.insert(1, translate("does not fit into {gib:.1f} GiB", gib=self.budget))
            lines.append(
                translate("Use a smaller resolution or fewer frames: by this estimate no setting here saves enough.")
            )
        return "\n".join([*lines, self.notes] if self.notes else lines)


def estimate(found: Sequence[Part]) -> str:
    rows = [f"{gib:6.1f} GiB  {name}" for name, gib in found]
    return "\n".join([translate("about {gib:.1f} GiB", gib=sum(part.gib for part in found)), *rows])


def best_fp8(option_map: OptionMap) -> str:
    offered = {name for name, options in option_map.get("fp8", {}).items() if not isinstance(options, str)}
    return next((name for name in ("fp8_scaled", "fp8") if name in offered), "off")


def plan(
    family: Family,
    size: DitSize,
    shape: Shape,
    budget: float,
    chosen: Memory,
    factor: float = 1.0,
    installed: Collection[str] | None = None,
) -> Plan:
    """Return the mildest plan within ``budget`` GiB, else the strongest.

    ``installed`` are the available attention modes, ``None`` if unknown.
    """
    attention, why = _attention(family, shape, chosen, installed)
    found: Plan | None = None
    for values, reasons in _ladder(family, size, shape, budget):
        memory = chosen.model_copy(update={**_off(shape), **attention, **values})
        found = Plan(memory, parts(size, shape, memory, factor), (*why, *reasons), budget, size.notes)
        if found.fits:
            return found
    assert found is not None
    return found


def _off(shape: Shape) -> dict[str, Any]:
    defaults = {name: Memory.model_fields[name].default for name in FIELDS}
    return defaults | {"gradient_checkpointing": shape.training}


def _attention(
    family: Family, shape: Shape, chosen: Memory, installed: Collection[str] | None
) -> tuple[dict[str, Any], list[str]]:
    """Return flash if installed, else sdpa, or a usable chosen mode."""
    modes = option_map_of(family, shape.training).get("attention", {})
    there = modes if installed is None else installed
    can = {mode for mode, how in modes.items() if mode in there and not isinstance(how, str)}
    split = family.trainer_split_attn if shape.training else family.generator_split_attn
    mode: str = "sdpa"
    why, keeps = translate("built into PyTorch"), False
    if chosen.attention != mode and chosen.attention in can:
        mode, why, keeps = chosen.attention, translate("as chosen"), chosen.split_attn
    elif "flash" in can and installed is not None:
        mode, why = "flash", translate("its package is installed")
    reasons = [f"attention {mode}: {why}"]
    if mode in split:
        reasons.append(f"split_attn: {split[mode]}")
    return {"attention": mode, "split_attn": keeps or mode in split}, reasons


def option_map_of(family: Family, training: bool) -> OptionMap:
    return family.trainer_options if training else family.generator_options


def _ladder(family: Family, size: DitSize, shape: Shape, budget: float) -> Iterator[tuple[dict[str, Any], list[str]]]:
    values: dict[str, Any] = {}
    reasons = (
        [translate("gradient_checkpointing: activations are computed again instead of kept")] if shape.training else []
    )
    if budget < SMALL_CARD:
        encoder = {"fp8_text_encoder": True} if family.fp8_text_encoder else {}
        values |= {**encoder, **family.vae_saving}
        if values:
            names = ", ".join(values)
            reasons.append(translate("{names}: less than {gib:.0f} GiB are available", names=names, gib=SMALL_CARD))
    yield dict(values), list(reasons)
    if (fp8 := best_fp8(option_map_of(family, shape.training))) != "off":
        values["fp8"] = fp8
        reasons.append(translate("{fp8}: half the weights' memory", fp8=fp8))
        yield dict(values), list(reasons)
    most = size.most_swap[0 if shape.training else 1]
    for swap in range(1, most + 1):
        yield {**values, "blocks_to_swap": swap}, [*reasons, _swapping(swap, most)]
    if not shape.training:
        return
    reasons.append(translate("gradient_checkpointing_cpu_offload: the rest is kept in main memory, slower"))
    for swap in range(most + 1):
        told = [_swapping(swap, most)] if swap else []
        yield {**values, **OFFLOAD, "blocks_to_swap": swap or None}, [*reasons, *told]
    told = [
        translate("blocks_to_swap {most}: the maximum", most=most),
        translate("block_swap_h2d_only with a ring of 1 (needs v0.3.2)"),
    ]
    yield {**values, **OFFLOAD, **RING, "blocks_to_swap": most}, [*reasons, *told]


def _swapping(swap: int, most: int) -> str:
    return translate("blocks_to_swap {swap} of at most {most}: slower", swap=swap, most=most)


def stronger(
    memory: Memory,
    family: Family,
    option_map: OptionMap,
    most_swap: int | None,
    known: Container[str],
    *,
    training: bool,
) -> tuple[Memory, str] | None:
    """Return the next plan after "out of memory", and what changes.

    Steps need the script's ``known`` options; ``None`` if none is left.
    """
    for wanted, told in _next_steps(memory, option_map, most_swap or 0, training):
        if _has(option_map, wanted, known):
            return memory.model_copy(update=wanted), told
    saving = family.vae_saving.items()
    vae = {n: v for n, v in saving if _has(option_map, {n: v}, known) and getattr(memory, n) != v}
    if training or not vae:
        return None
    return memory.model_copy(update=vae), translate("save memory in the VAE with {names}", names=", ".join(vae))


def _has(option_map: OptionMap, wanted: Mapping[str, object], known: Container[str]) -> bool:
    return all(option in known for field, value in wanted.items() for option in option_names(option_map, field, value))


def sparing(memory: Memory, option_map: OptionMap, known: Container[str]) -> tuple[Memory, str] | None:
    """Return the next plan after RAM was full, and what changes.

    8-bit weights need half the RAM while loading.
    """
    for name in IN_MAIN_MEMORY:
        if getattr(memory, name) and name in known:
            return memory.model_copy(update={name: False}), translate("turn off {name}", name=name)
    if memory.fp8 == "off" and (fp8 := best_fp8(option_map)) != "off":
        return memory.model_copy(update={"fp8": fp8}), translate("set fp8 to {fp8}", fp8=fp8)
    return None


def _next_steps(
    memory: Memory, option_map: OptionMap, most: int, training: bool
) -> Iterator[tuple[dict[str, Any], str]]:
    if training and not memory.gradient_checkpointing:
        yield {"gradient_checkpointing": True}, translate("turn on gradient_checkpointing")
    if memory.fp8 == "off" and (fp8 := best_fp8(option_map)) != "off":
        yield {"fp8": fp8}, translate("set fp8 to {fp8}", fp8=fp8)
    swap = memory.blocks_to_swap or 0
    if swap < most:
        more = min(swap + max(most // 4, 1), most)
        yield {"blocks_to_swap": more}, translate("raise blocks_to_swap from {now} to {more}", now=swap, more=more)
    if training and not memory.gradient_checkpointing_cpu_offload:
        yield dict(OFFLOAD), translate("turn on gradient_checkpointing_cpu_offload")
    if training and swap and not memory.block_swap_h2d_only:
        yield dict(RING), translate("turn on block_swap_h2d_only with block_swap_ring_size 1")
