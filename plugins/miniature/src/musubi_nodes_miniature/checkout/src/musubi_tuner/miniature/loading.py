"""Reading the weights of a toy DiT, and refusing those that do not fit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .dit import ToyDiT
from .errors import refuse_weights
from .lora import MERGING, merge_into
from .tensors import Array, Tensor, load_unchecked

FP8 = logging.getLogger("musubi_tuner.modules.fp8_optimization_utils")

TOO_LARGE = 64 * 2**20
PREFIX = "model.diffusion_model."

Pair = tuple[dict[str, Tensor], float]
"""A LoRA and its multiplier."""


def read_weights(path: str) -> dict[str, Array]:
    """All weights in float32."""
    if Path(path).stat().st_size > TOO_LARGE:
        raise RuntimeError(f"{path} is not a toy: the practice install runs its own miniature models only")
    tensors = load_unchecked(Path(path))
    return {name.removeprefix(PREFIX): tensor.values.astype(np.float32) for name, tensor in tensors.items()}


def read_with_bar(path: str, scaled: bool) -> dict[str, Array]:
    """The same with a bar over the tensors, which stays where fp8 scales are computed."""
    weights = read_weights(path)
    bar = tqdm(weights, desc=f"Loading {Path(path).name}", leave=scaled, unit="key" if scaled else "it")
    return {name: weights[name] for name in bar}


def load_merged(path: str, scaled: bool, loras: Iterable[Pair]) -> dict[str, Array]:
    """The weights with LoRAs added while they are read (utils/lora_utils.py); unused keys are worth a warning."""
    MERGING.info(f"Loading model files: ['{path}']")
    pairs = list(loras)
    if pairs:
        multipliers = [multiplier for _, multiplier in pairs]
        MERGING.info(
            f"Merging LoRA weights into state dict. multipliers: {multipliers}, network types: {['lora'] * len(pairs)}"
        )
    how = "with" if scaled else "without"
    MERGING.info(f"Loading state dict {how} FP8 optimization. Dtype of weight: None, hook enabled: {bool(pairs)}")
    weights = read_with_bar(path, scaled)
    for lora, multiplier in pairs:
        if left := merge_into(weights, lora, multiplier):
            MERGING.warning(f"Warning: not all LoRA keys are used: {', '.join(left)}")
    return weights


def tell_scaled(dit: ToyDiT) -> None:
    """The lines about fp8 with scales."""
    count = len(dit.linear_modules())
    FP8.info(f"Number of optimized Linear layers: {count}")
    FP8.info(f"Number of monkey-patched Linear layers: {count}")


def check_shapes(model: str, weights: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse missing, unexpected and misshapen tensors in torch's words."""
    problems = []
    if missing := [f'"{name}"' for name in expected if name not in weights]:
        problems.append(f"Missing key(s) in state_dict: {', '.join(missing)}. ")
    if unexpected := [f'"{name}"' for name in weights if name not in expected]:
        problems.append(f"Unexpected key(s) in state_dict: {', '.join(unexpected)}. ")
    problems += [
        f"size mismatch for {name}: copying a param with shape torch.Size({list(weights[name].shape)}) from"
        f" checkpoint, the shape in current model is torch.Size({list(shape)})."
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    if problems:
        refuse_weights(model, problems)
