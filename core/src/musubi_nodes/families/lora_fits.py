"""Whether a LoRA fits a DiT or a training, by headers."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.lora import lora_format
from musubi_nodes.families.models.files import SAFETENSORS
from musubi_nodes.families.recognition.loras import PREFIX, lora_name, modules_in, network_of, ranks
from musubi_nodes.families.recognition.parts import whole_header
from musubi_nodes.families.settings import Network
from musubi_nodes.files import open_file
from musubi_nodes.i18n import translate
from musubi_nodes.weights import Header, read_header

WRAPPED = "model.diffusion_model."
"""ComfyUI's prefix, which Wan's loader removes after loading (v0.3.4)."""
LEFT_OUT = "musubi-tuner would ignore it and continue, with at most a warning in the log (v0.3.4)."
_NUMBERS = {"F32": "<f", "F64": "<d", "F16": "<e", "BF16": "<f", "I64": "<q", "I32": "<i"}
"""``struct`` format by dtype; bfloat16 is a float32's upper half."""


def check_fits(lora: Path, dit: Path, *, merged: bool = False) -> str:
    """Return the LoRA's format; raise if musubi-tuner would ignore it.

    ``merged``: generators compare the file's tensor names (``load_safetensors_with_lora_and_fp8``, v0.3.4).
    """
    header = read_header(lora)
    found = lora_format(header)
    if not found:
        raise MusubiError("file-not-lora", f"{lora.name} is no LoRA", fix="Choose another file.")
    name, model = lora_name(header), whole_header(dit) if dit.suffix.lower() in SAFETENSORS else None
    if model:  # a .pt file has no header that could be read without loading it
        _check_modules(lora, header, dit, model)
    if found == "other":
        raise MusubiError(
            "lora-not-converted",
            f"{lora.name} is {name}",
            why=LEFT_OUT,
            fix="Convert it with the LoRA Format Converter first.",
        )
    if any(each.endswith(".dora_scale") for each in header.tensors):
        raise MusubiError(
            "lora-has-dora",
            f"{lora.name} is {name} with DoRA",
            why="musubi-tuner silently ignores its magnitudes (v0.3.4), so it would do something else.",
            fix="Choose a LoRA without DoRA.",
        )
    if model and merged and any(each.startswith(WRAPPED) for each in model.tensors):
        raise MusubiError(
            "model-prefix-unsupported",
            f"no LoRA can be used with {dit.name}",
            why=translate(
                "The names of its tensors begin with {prefix}, so musubi-tuner finds none of the LoRA's modules: it "
                "would ignore it, with a warning in the log (v0.3.4).",
                prefix=WRAPPED,
            ),
            fix="Choose the original DiT of the model's authors.",
        )
    return found


def check_begins(lora: Path, network: Network) -> None:
    """Raise unless a training with ``lora`` keeps kind, rank and alpha."""
    header = read_header(lora)
    if (kind := network_of(header)) != network.network_type:
        raise MusubiError(
            "lora-other-kind",
            f"{lora.name} is a {kind}, and a {network.network_type} is trained",
            why=LEFT_OUT,
            fix="Choose a file of the same kind, or set network_type of Network Config to what it is.",
        )
    rank, alpha = sorted(ranks(header)), _alpha(lora, header)
    if rank and rank != [network.network_dim]:
        raise MusubiError(
            "lora-rank-mismatch",
            f"{lora.name} has rank {', '.join(map(str, rank))}, but network_dim is {network.network_dim}",
            fix=translate("Set network_dim of Network Config to {rank}, or train from the beginning.", rank=rank[-1]),
        )
    if alpha is not None and abs(alpha - network.network_alpha) > 1e-3 * abs(alpha):
        raise MusubiError(
            "lora-alpha-mismatch",
            f"{lora.name} has alpha {alpha:g}, but network_alpha is {network.network_alpha:g}",
            why="musubi-tuner would train with one and save the other (v0.3.4): its strength would be wrong.",
            fix=translate("Set network_alpha of Network Config to {alpha}.", alpha=f"{alpha:g}"),
        )


def _check_modules(lora: Path, header: Header, dit: Path, model: Header) -> None:
    wanted, weights = {module.replace(".", "_") for module in modules_in(header)}, _weights_of(model)
    if wanted and not wanted & weights.keys():
        raise MusubiError(
            "lora-other-model",
            f"{lora.name} is {lora_name(header)}: it does not fit the model {dit.name}",
            why=translate(
                "None of its {count} modules ({example}, ...) is in the model: it would change nothing.",
                count=len(wanted),
                example=sorted(wanted)[0],
            ),
            fix="Choose a LoRA of this model family.",
        )
    for module in sorted(wanted & weights.keys()):
        has, needs = _shape_changed(header, module), weights[module]
        if has and len(needs) == 2 and has != needs:
            raise MusubiError(
                "lora-other-size",
                f"the LoRA {lora.name} is for another size of the model than {dit.name}",
                why=translate(
                    "It changes a {module} of {has}; that of the model is {needs}.",
                    module=module,
                    has=list(has),
                    needs=list(needs),
                ),
                fix="Choose a LoRA that was trained on this model.",
            )


def _weights_of(dit: Header) -> dict[str, tuple[int, ...]]:
    """Return shapes by module, spelled like LoRA keys."""
    found: dict[str, tuple[int, ...]] = {}
    for name, tensor in dit.tensors.items():
        stem, _, last = name.removeprefix(WRAPPED).rpartition(".")
        module = stem.replace(".", "_")
        found[module] = tensor.shape if last == "weight" else found.get(module, ())
    return found


def _shape_changed(lora: Header, module: str) -> tuple[int, int] | None:
    down, up = (lora.tensors.get(f"{PREFIX}{module}.lora_{half}.weight") for half in ("down", "up"))
    if down is None or up is None or len(down.shape) != 2 or len(up.shape) != 2:
        return None
    return up.shape[0], down.shape[1]


def _alpha(path: Path, header: Header) -> float | None:
    tensor = next((t for name, t in header.tensors.items() if name.endswith(".alpha")), None)
    if tensor is None or tensor.dtype not in _NUMBERS or prod(tensor.shape) != 1:
        return None
    with open_file(path) as file:
        file.seek(tensor.place.start)
        data = file.read(len(tensor.place))
    form = _NUMBERS[tensor.dtype]
    return float(struct.unpack(form, data.rjust(struct.calcsize(form), b"\0"))[0])
