"""Checks of settings that no run can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.arguments import spelled
from musubi_nodes.families.family import Family
from musubi_nodes.families.memory.plans import option_map_of
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.models.files import SAFETENSORS
from musubi_nodes.families.recognition.parts import whole_header
from musubi_nodes.families.recognition.quantisation import FP8, quantisation_of
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate


def check_possible(family: Family, size: DitSize | None, memory: Memory, training: bool) -> None:
    use = "training" if training else "generating"
    spelled(memory, option_map_of(family, training), f"{family.title} {use}")
    if size is not None:
        check_swap(memory, size.most_swap[0 if training else 1], f"{use} with {family.title} {size.name}")


def check_swap(memory: Memory, most: int, who: str) -> None:
    """Raise if too many blocks are swapped (an assertion in v0.3.4)."""
    swap = memory.blocks_to_swap or 0
    if swap > most:
        raise MusubiError(
            "blocks-to-swap-too-large",
            f"{who}: blocks_to_swap {swap} is more than this model allows ({most})",
            fix=translate("Set it to {most} or less in the Memory Optimizer.", most=most),
        )


def check_fp8_file(inputs: Any) -> None:
    """Raise if fp8 weights would be scaled again.

    v0.3.4 fails after loading half of them (``load_safetensors_with_fp8_optimization``).
    """
    if (inputs.memory or Memory()).fp8 != "fp8_scaled":
        return
    dit = Path(inputs.models.main_dit)
    if dit.suffix.lower() in SAFETENSORS and quantisation_of(whole_header(dit)) == FP8:
        raise MusubiError(
            "model-already-fp8",
            f"{dit.name} is in fp8 already, but fp8 is fp8_scaled",
            fix="Set fp8 of the Memory Optimizer to another value, or choose the fp16 or bf16 file of the same model.",
        )
