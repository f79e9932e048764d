"""Whether a trained model is whole, by headers and values."""

from __future__ import annotations

from math import prod
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.lora import check_made
from musubi_nodes.families.lora_fits import WRAPPED
from musubi_nodes.families.models.files import SAFETENSORS
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.families.recognition.parts import whole_header
from musubi_nodes.i18n import translate
from musubi_nodes.weights import Header, read_header

COMPILED = "_orig_mod."
"""Part of names in the state of a compiled model (PyTorch)."""


def check_model(path: Path, log: Path) -> None:
    """Raise unless the model is complete and finite."""
    check_made(path, log)
    check_numbers(path, "trained model", log)


def check_same_tensors(made: Path, dit: Path) -> None:
    """Raise unless ``made`` has the tensors of the DiT it began from.

    Loaders may rename and split tensors (``load_zimage_model``, v0.3.4), so those must have as many numbers.
    """
    if dit.suffix.lower() not in SAFETENSORS:
        return
    has, needs = _shapes(read_header(made)), _shapes(whole_header(dit))
    same = has.keys() & needs.keys()
    wrong = [name for name in same if has[name] != needs[name]]
    if not wrong and _numbers(has, same) != _numbers(needs, same):
        wrong = [*(needs.keys() - same), *(has.keys() - same)]
    if wrong:
        name = min(wrong)
        raise MusubiError(
            "model-tensors-differ",
            f"{made.name} does not have the tensors of the model {dit.name}",
            why=translate(
                "{tensor} is {has} there and {needs} in the model.",
                tensor=name,
                has=list(has.get(name, ())),
                needs=list(needs.get(name, ())),
            ),
            fix="Look into the log, and train again.",
        )


def check_unwrapped(dit: Path) -> None:
    """Refuse ComfyUI's prefix, which trainers of whole models don't remove."""
    if dit.suffix.lower() in SAFETENSORS and any(name.startswith(WRAPPED) for name in whole_header(dit).tensors):
        raise MusubiError(
            "model-prefix-unsupported",
            f"{dit.name} cannot be fine-tuned",
            why=translate(
                "The names of its tensors begin with {prefix}, and musubi-tuner would not find them.", prefix=WRAPPED
            ),
            fix="Choose the original DiT of the model's authors.",
        )


def _shapes(header: Header) -> dict[str, tuple[int, ...]]:
    """Return shapes by name, without flags such as __index_timestep_zero__."""
    tensors = header.tensors.items()
    return {name.replace(COMPILED, ""): each.shape for name, each in tensors if not name.startswith("__")}


def _numbers(shapes: dict[str, tuple[int, ...]], without: set[str]) -> int:
    return sum(prod(shape) for name, shape in shapes.items() if name not in without)
