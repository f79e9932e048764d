"""``convert_lora.py``: between musubi-tuner's own LoRA keys and those of other programs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping

import numpy as np

from .families import Family
from .lora import PREFIX
from .output import MAIN
from .tensors import Tensor, load, metadata_of, save

Tensors = dict[str, Tensor]
FIXES = {
    (".cross.attn.", ".self.attn."): (
        ("cross.attn", "cross_attn"),
        ("self.attn", "self_attn"),
        ("k.img", "k_img"),
        ("v.img", "v_img"),
    ),
    (".attention.to.", ".feed.forward."): (
        ("to.q", "to_q"),
        ("to.k", "to_k"),
        ("to.v", "to_v"),
        ("to.out", "to_out"),
        ("feed.forward", "feed_forward"),
    ),
    ("double.blocks.", "single.blocks."): (
        ("double.blocks.", "double_blocks."),
        ("single.blocks.", "single_blocks."),
        ("img.", "img_"),
        ("txt.", "txt_"),
        ("attn.", "attn_"),
    ),
}
"""Underscores of module names that were no dots, by what betrays the family; FramePack's are missing upstream too."""


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family | None) -> None:
    """Convert one file. A file that is no LoRA, or the wrong way round, gives an empty file and exit code 0."""
    MAIN.info(f"loading {args.input}")
    tensors, metadata = load(args.input), metadata_of(args.input)
    MAIN.info(f"converting to {args.target}")
    if args.target == "default":
        converted = to_default(tensors)
    else:
        converted = to_other(tensors, args.diffusers_prefix or "diffusion_model")
    MAIN.info(f"saving to {args.output}")
    save(args.output, converted, (metadata or {}) if args.target == "default" else metadata)
    MAIN.info("done")


def module_of(name: str) -> str:
    """The module that a LoRA name without prefix probably meant."""
    module = name.replace("_", ".")
    for signs, fixes in FIXES.items():
        if any(sign in module for sign in signs):
            for wrong, right in fixes:
                module = module.replace(wrong, right)
            break
    return module


def to_other(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """``prefix.module.lora_A/B.weight``; alpha is folded into both halves by the root of alpha / rank."""
    alphas = {key.split(".", 1)[0]: tensor for key, tensor in tensors.items() if "alpha" in key}
    found: Tensors = {}
    kind = None
    for key, tensor in tensors.items():
        if not key.startswith(PREFIX) or "alpha" in key:
            continue
        name, part = key.split(".", 1)
        module = module_of(name[len(PREFIX) :])
        if "lora_down" in key or "lora_up" in key:
            kind = "LoRA"
            rank = tensor.shape[0 if "lora_down" in key else 1]
            half = "lora_A" if "lora_down" in key else "lora_B"
            found[f"{prefix}.{module}.{half}.weight"] = _folded(tensor, alphas.get(name), rank, name)
        elif "hada" in key or "lokr" in key:
            kind = "LoHa" if "hada" in key else "LoKr"
            if name in alphas:
                found[f"{prefix}.{module}.alpha"] = alphas[name]
            found[f"{prefix}.{module}.{part}"] = tensor
        else:
            MAIN.warning(f"unexpected key: {key} in default LoRA format")
    MAIN.info(f"estimated type: {kind}")
    return found


def _folded(tensor: Tensor, alpha: Tensor | None, rank: int, name: str) -> Tensor:
    if alpha is None:
        MAIN.warning(f"missing alpha for {name}")
        return tensor
    scale = np.float32(math.sqrt(float(alpha.values) / rank))
    return Tensor(tensor.values * scale, tensor.dtype)


def to_default(tensors: Mapping[str, Tensor]) -> Tensors:
    """``lora_unet_module.lora_down/up.weight``; alpha becomes the rank."""
    found: Tensors = {}
    ranks: dict[str, int] = {}
    for key, tensor in tensors.items():
        program, body = key.split(".", 1)
        if program not in ("diffusion_model", "transformer"):
            MAIN.warning(f"unexpected key: {key} in diffusers format")
            continue
        new = _default_key(body)
        found[new] = tensor
        if "lora_down" in new:
            ranks.setdefault(new.split(".")[0], tensor.shape[0])
    for name, rank in ranks.items():
        found.setdefault(f"{name}.alpha", Tensor(np.array(rank, np.int64), "I64"))
    return found


def _default_key(body: str) -> str:
    key = PREFIX + body.replace(".", "_")
    if "_lora_" in key:
        for half, name in (("A", "down"), ("B", "up"), ("down", "down"), ("up", "up")):
            key = key.replace(f"_lora_{half}_", f".lora_{name}.")
    else:
        key = key.replace("_hada_", ".hada_").replace("_lokr_", ".lokr_")
    return key[: -len("_alpha")] + ".alpha" if key.endswith("_alpha") else key
