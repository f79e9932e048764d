"""Several LoRAs as one, or one of a smaller rank: without musubi-tuner, which has no script for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, Field

from musubi_nodes.families import (
    Context,
    Header,
    Lora,
    MusubiError,
    Node,
    NodeInputs,
    NodeOutputs,
    Progress,
    Widget,
    check_numbers,
    checked_name,
    lora_format,
    publish_lora,
    scratch_folder,
    translate,
    write_tensors,
)
from musubi_nodes_lora_tools.low_rank import cut, total
from musubi_nodes_lora_tools.source import WEIGHT, Pair, Source

if TYPE_CHECKING:
    from musubi_nodes_lora_tools.low_rank import Array

PRECISIONS = {"float": "F32", "fp16": "F16", "bf16": "BF16"}
_UNTRUE = re.compile(
    r"sshs_.*|modelspec\.hash.*|ss_(network_dim|network_alpha|new_sd_model_hash|output_name|session_id)"
)
"""Metadata that would be false of the new file."""


class LoRACombiner(Node):
    """Combines several LoRAs, each with its multiplier, into one file; or makes one smaller by a lower rank."""

    id, title, category = "MusubiTuner_LoRACombiner", "LoRA Combiner", "MusubiTuner/LoRA"
    search = ("merge loras", "resize lora", "rank", "svd", "combine", "結合", "ランク変更")
    output_node: ClassVar[bool] = True
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"lora"})

    class Inputs(NodeInputs):
        lora: Lora = Field(description="The LoRAs, with their multipliers: a chain of LoRA Select nodes.")
        rank: int = Field(
            0, ge=0, le=1024, description="Rank of the result. 0: the sum of their ranks, which loses nothing."
        )
        save_precision: Annotated[Literal["auto", "float", "fp16", "bf16"], Widget(advanced=True)] = Field(
            "auto", description="Number format of the file. auto: that of the first LoRA."
        )
        output_name: str = Field("combined", description="Name in models/loras/musubi.", examples=["other"])

    class Outputs(NodeOutputs):
        lora: Lora = Field(description="The new LoRA, with multiplier 1.")
        report: str = Field(description="Its rank, and how much of the weights it keeps.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "output_name" not in linked:
            checked_name(values["output_name"], "output_name", ".safetensors")
        if "lora" in values:
            _sources(values["lora"])

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        name = checked_name(inputs.output_name, "output_name", ".safetensors")
        sources = _sources(inputs.lora)
        for source in sources:
            check_numbers(source.lora.path, "chosen LoRA")
        kept = Kept()
        with scratch_folder(context.host.output_folder, ".combine-") as folder:
            made = folder / f"{name}.safetensors"
            plans = list(_plans(sources, inputs.rank))
            dtype = PRECISIONS.get(inputs.save_precision) or _precision(sources[0].header)
            tensors = _tensors(plans, kept, context)
            write_tensors(made, _shapes(plans), tensors, dtype, _metadata(sources, plans))
            check_numbers(made, "combined LoRA")
            path = publish_lora(context, made)
        report = _report(plans, kept)
        context.show(text=f"{report} · musubi/{path.name}")
        first = inputs.lora.chain()[0]
        return self.Outputs(lora=first.model_copy(update={"path": path, "multiplier": 1.0}), report=report)


class Plan(NamedTuple):
    """How one module of the result is made."""

    module: str
    pair: Pair
    sources: tuple[Source, ...]
    rank: int
    whole: int

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of its tensors."""
        down, up = self.sources[0].shapes(self.module)
        yield self.pair.down, (self.rank, *down[1:])
        yield self.pair.up, (up[0], self.rank, *up[2:])
        yield self.pair.alpha, ()


class Kept:
    """Squared norms: what is kept of what there was, and the smallest share of a module."""

    def __init__(self) -> None:
        self.part = self.whole = 0.0
        self.least = 1.0

    def add(self, part: float, whole: float) -> None:
        """Count a module."""
        self.part, self.whole = self.part + part, self.whole + whole
        self.least = min(self.least, part / whole if whole else 1.0)

    @property
    def share(self) -> float:
        """Share of the whole."""
        return self.part / self.whole if self.whole else 1.0


def _sources(lora: Lora) -> list[Source]:
    """The LoRAs of the chain; a :class:`MusubiError` unless all can be added."""
    sources = [Source(each) for each in lora.chain()]
    first = sources[0]
    for source in sources:
        _check_alike(first, source)
    return sources


def _check_alike(first: Source, other: Source) -> None:
    names = f"{first.lora.path.name} and {other.lora.path.name}"
    if lora_format(first.header) != lora_format(other.header):
        raise MusubiError(
            "lora-formats-differ",
            f"{names} have different formats",
            fix="Convert one of them with LoRA Format Converter first.",
        )
    both = first.pairs.keys() & other.pairs.keys()
    if not both or any(first.weight_shape(module) != other.weight_shape(module) for module in both):
        raise MusubiError("lora-other-model", f"{names} are of different models", fix="Combine LoRAs of one model.")
    if {first.lora.noise, other.lora.noise} == {"high", "low"}:
        raise MusubiError(
            "lora-noise-differs",
            f"{names} are for different models: one for high noise, one for low noise",
            fix="Combine those for high noise and those for low noise apart.",
        )


def _plans(sources: Sequence[Source], rank: int) -> Iterator[Plan]:
    for module in dict.fromkeys(module for source in sources for module in source.pairs):
        having = tuple(source for source in sources if module in source.pairs)
        whole = sum(source.shapes(module)[0][0] for source in having)
        outputs, *inputs = having[0].weight_shape(module)
        most = min(rank, outputs, prod(inputs)) if rank else whole
        yield Plan(module, having[0].pairs[module], having, min(most, whole), whole)


def _shapes(plans: Sequence[Plan]) -> dict[str, tuple[int, ...]]:
    return dict(entry for plan in plans for entry in plan.shapes())


def _tensors(plans: Sequence[Plan], kept: Kept, context: Context) -> Iterator[tuple[str, Array]]:
    import numpy as np

    for number, plan in enumerate(plans, 1):
        context.raise_if_interrupted()
        update = total([source.update(plan.module) for source in plan.sources])
        if plan.rank < plan.whole:
            update, part, whole = cut(update, plan.rank)
            kept.add(part, whole)
        yield plan.pair.down, update.down
        yield plan.pair.up, update.up
        yield plan.pair.alpha, np.float32(plan.rank).reshape(())
        context.progress(Progress("saving", number, len(plans)))


def _precision(header: Header) -> str:
    """The first weight's number format, as far as it can be written."""
    dtype = next(tensor.dtype for name, tensor in header.tensors.items() if WEIGHT.fullmatch(name))
    return dtype if dtype in PRECISIONS.values() else "F32"


def _metadata(sources: Sequence[Source], plans: Sequence[Plan]) -> dict[str, str]:
    rank = str(max(plan.rank for plan in plans))
    kept = {name: text for name, text in sources[0].header.metadata.items() if not _UNTRUE.fullmatch(name)}
    made_of = " + ".join(f"{source.lora.multiplier:g} * {source.lora.path.stem}" for source in sources)
    return kept | {"ss_network_dim": rank, "ss_network_alpha": rank, "musubi_nodes_combined": made_of}


def _report(plans: Sequence[Plan], kept: Kept) -> str:
    rank, whole = max(plan.rank for plan in plans), max(plan.whole for plan in plans)
    if rank == whole:
        return translate("rank {rank}, nothing is lost", rank=rank)
    return translate(
        "rank {rank} of {whole}: keeps {share} of the weights, {least} in the worst module",
        rank=rank,
        whole=whole,
        share=f"{kept.share:.2%}",
        least=f"{kept.least:.2%}",
    )
