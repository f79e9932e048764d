"""Checks a LoRA file: it is whole, it is a LoRA, its numbers are numbers, and it fits the DiT."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.models.files import SAFETENSORS
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.files import publish
from musubi_nodes.runs.record.checkpoints import of_training
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.saying import say
from musubi_nodes.weights import Header, each_tensor, read_header

_UP = (".lora_up.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1", ".lokr_w2_b")
_MUSUBI = "lora_unet_"
_COMFY = "diffusion_model."
_EXPONENT = {"BF16": ("<u2", 0x7F80), "F16": ("<u2", 0x7C00), "F32": ("<u4", 0x7F800000)}
"""Bits that are all set in NaN and infinity only (numpy has no bfloat16, so the bits are looked at)."""


def lora_format(header: Header) -> str:
    """``musubi`` (``lora_unet_...``), ``other`` (``diffusion_model....``, ComfyUI and diffusers) or "" for no LoRA."""
    names = list(header.tensors)
    if not any(part in name for name in names for part in (*_UP, ".lora_down.weight", ".lora_A.weight")):
        return ""
    return "musubi" if any(name.startswith(_MUSUBI) for name in names) else "other"


def lora_of(path: Path) -> Lora:
    """The socket of a LoRA file, with what its header says: ``family`` is ``ss_base_model_version`` of musubi-tuner's
    metadata (``wan``, ``hunyuan_video``, ``framepack``; v0.3.4)."""
    header = read_header(path)
    return Lora(path=path, format=lora_format(header), family=header.metadata.get("ss_base_model_version", ""))


def publish_lora(context: Context, made: Path, name: str = "", complete: bool = True) -> Path:
    """Put a finished LoRA into ``models/loras/musubi`` under a name that is free (``name``, else its own);
    ``complete``: it was not stopped."""
    path = publish(made, context.host.model_folders("loras")[0] / "musubi", name or made.name)
    context.made(path, complete=complete)
    return path


def checkpoints_of(run: Run) -> list[Path]:
    """The whole LoRAs that a training saved, earliest first, also those of the runs that this one went on from."""
    return [path for path, _ in of_training(RunFolder(run.folder))]


def check_trained(path: Path, log: Path) -> None:
    """A trained LoRA is whole, holds numbers only, and is not still zero; else a :class:`MusubiError`."""
    if not path.is_file():
        raise MusubiError(
            f"musubi-tuner ended without an error, but {path.name} is not there",
            why="Nothing was trained or it could not be saved.",
            fix="The log's last lines say more.",
            log=log,
        )
    if not lora_format(read_header(path)):
        raise MusubiError(f"{path.name} holds no LoRA", fix="Look into the log.", log=log)
    bad, zero = _judge(path)
    if bad:
        raise MusubiError(
            f"the LoRA {path.name} holds NaN or infinite numbers ({bad[0]})",
            why="The loss became NaN: the learning rate is too high, or the precision does not fit the model. "
            "musubi-tuner trains on and ends without an error.",
            fix="Lower learning_rate, check mixed_precision, and train again.",
            log=log,
        )
    if zero:
        raise MusubiError(
            f"the LoRA {path.name} was not trained: all its up weights are still zero",
            why="No step changed it: no training step, or a learning rate of next to nothing.",
            fix="Raise learning_rate, or train more steps.",
            log=log,
        )


def only_numbers(path: Path) -> bool:
    """Whether no tensor holds NaN or infinity."""
    return not _judge(path)[0]


def _judge(path: Path) -> tuple[list[str], bool]:
    """Names of tensors with NaN or infinity, and whether all up weights are zero."""
    bad: list[str] = []
    zero = True
    for name, tensor, data in each_tensor(path):
        if tensor.dtype in _EXPONENT and _not_finite(data, tensor.dtype):
            bad.append(name)
        if name.endswith(_UP) and any(data):
            zero = False
    return bad, zero


def _not_finite(data: bytes, dtype: str) -> bool:
    import numpy as np

    code, exponent = _EXPONENT[dtype]
    bits = np.frombuffer(data, code)
    return bool(((bits & exponent) == exponent).any())


def modules_of(header: Header) -> set[str]:
    """The modules that a musubi LoRA changes, spelled as in its keys: ``blocks_0_self_attn_q``."""
    return {name.removeprefix(_MUSUBI).split(".", 1)[0] for name in header.tensors if name.startswith(_MUSUBI)}


def check_fits(lora: Path, dit: Path) -> str:
    """The LoRA's format; a :class:`MusubiError` where none of its modules is in the DiT.

    musubi-tuner would only warn (``not all LoRA keys are used``) and make a video without the LoRA (v0.3.4).
    """
    header = read_header(lora)
    found = lora_format(header)
    if not found:
        raise MusubiError(f"{lora.name} is no LoRA", fix="Choose another file.")
    if found == "other":
        raise MusubiError(
            f"the LoRA {lora.name} is in the format of ComfyUI and diffusers",
            why="musubi-tuner would ignore it with a warning and make a video without it (v0.3.4).",
            fix="Convert it with the LoRA Format Converter first.",
        )
    if dit.suffix.lower() not in SAFETENSORS:
        return found  # a .pt file has no header that could be read without loading it
    wanted, weights = modules_of(header), _weights_of(read_header(dit))
    if wanted and not wanted & weights.keys():
        example = sorted(wanted)[0]
        raise MusubiError(
            f"the LoRA {lora.name} does not fit the model {dit.name}",
            why=say(
                "None of its {count} modules ({example}, ...) is in the model: it would change nothing.",
                count=len(wanted),
                example=example,
            ),
            fix="Choose a LoRA of this model family.",
        )
    for module in sorted(wanted & weights.keys()):
        has, needs = _shape_changed(header, module), weights[module]
        if has and len(needs) == 2 and has != needs:
            raise MusubiError(
                f"the LoRA {lora.name} is for another size of the model than {dit.name}",
                why=say(
                    "It changes a {module} of {has}; that of the model is {needs}.",
                    module=module,
                    has=list(has),
                    needs=list(needs),
                ),
                fix="Choose a LoRA that was trained on this model.",
            )
    return found


def _weights_of(dit: Header) -> dict[str, tuple[int, ...]]:
    """The DiT's weights by module, spelled as in a LoRA's keys; what has a bias only is there with no shape."""
    found: dict[str, tuple[int, ...]] = {}
    for name, tensor in dit.tensors.items():
        stem, _, last = name.rpartition(".")
        module = stem.removeprefix(_COMFY).replace(".", "_")
        found[module] = tensor.shape if last == "weight" else found.get(module, ())
    return found


def _shape_changed(lora: Header, module: str) -> tuple[int, int] | None:
    """The shape of the weight that the pair of ``module`` adds up to; ``None`` for other kinds of LoRA."""
    down, up = (lora.tensors.get(f"{_MUSUBI}{module}.lora_{half}.weight") for half in ("down", "up"))
    if down is None or up is None or len(down.shape) != 2 or len(up.shape) != 2:
        return None
    return up.shape[0], down.shape[1]
