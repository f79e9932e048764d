"""Loading a toy Wan DiT with upstream's bar, lines and refusals."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .dit import ToyDiT
from .errors import refuse_weights
from .lora import MERGING, merge_into
from .tensors import Array, Tensor, load_unchecked, read_header
from .wan_models import Task, dit_shapes

MODEL = logging.getLogger("musubi_tuner.wan.modules.model")
FP8 = logging.getLogger("musubi_tuner.modules.fp8_optimization_utils")
PRECISIONS = {"BF16": ("torch.bfloat16", "bf16"), "F16": ("torch.float16", "fp16"), "F32": ("torch.float32", "no")}
TOO_LARGE = 64 * 2**20


def dit_dtype(path: str) -> str:
    """The dtype of a DiT's weights, by one tensor of it."""
    entries = read_header(Path(path))[0]
    for prefix in ("model.diffusion_model.", ""):
        entry = entries.get(f"{prefix}blocks.0.cross_attn.k.weight")
        if entry is not None:
            dtype = str(entry["dtype"])
            MODEL.info(f"Detected DiT dtype: {PRECISIONS.get(dtype, ('torch.float8_e4m3fn', ''))[0]}")
            return dtype
    raise ValueError(f"Could not find the dtype in the model weights: {path}")


@dataclass(frozen=True)
class Precision:
    """What the lines about weights say; the arithmetic is float32 in any case."""

    dtype: str = "torch.bfloat16"
    fp8: bool = False
    fp8_scaled: bool = False

    @property
    def weights(self) -> str | None:
        """The dtype of the weights, ``None`` where it differs from tensor to tensor."""
        if not self.fp8:
            return self.dtype
        return None if self.fp8_scaled else "torch.float8_e4m3fn"


def load_dit(
    path: str,
    task: Task,
    precision: Precision,
    loras: Iterable[tuple[dict[str, Tensor], float]] = (),
) -> ToyDiT:
    """A toy DiT for ``task``, with LoRAs merged into it; upstream's bar, lines and refusals."""
    scaled, pairs = precision.fp8_scaled, list(loras)
    MODEL.info(
        f"Creating WanModel. I2V: {task.i2v}, FLF2V: {task.flf2v}, V2.2: {task.v2_2}, device: cpu,"
        f" loading_device: cpu, fp8_scaled: {scaled}"
    )
    MODEL.info(f"Loading DiT model from {path}, device=cpu")
    MERGING.info(f"Loading model files: ['{path}']")
    if pairs:
        multipliers = [multiplier for _, multiplier in pairs]
        MERGING.info(
            f"Merging LoRA weights into state dict. multipliers: {multipliers}, network types: {['lora'] * len(pairs)}"
        )
    how = "with" if scaled else "without"
    MERGING.info(f"Loading state dict {how} FP8 optimization. Dtype of weight: None, hook enabled: {bool(pairs)}")
    weights = _read_weights(path, scaled)
    for lora, multiplier in pairs:
        if left := merge_into(weights, lora, multiplier):
            MERGING.warning(f"Warning: not all LoRA keys are used: {', '.join(left)}")
    _check_shapes(weights, task)
    if scaled:
        count = len(ToyDiT(weights).linear_modules())
        FP8.info(f"Number of optimized Linear layers: {count}")
        FP8.info(f"Number of monkey-patched Linear layers: {count}")
    else:
        MODEL.info(f"Casting model weights to {precision.weights}")
    MODEL.info(f"Loaded DiT model from {path}, info=<All keys matched successfully>")
    return ToyDiT(weights)


def _read_weights(path: str, scaled: bool) -> dict[str, Array]:
    if Path(path).stat().st_size > TOO_LARGE:
        raise RuntimeError(f"{path} is not a toy: the practice install runs its own miniature models only")
    tensors = load_unchecked(Path(path))
    bar = tqdm(tensors, desc=f"Loading {Path(path).name}", leave=scaled, unit="key" if scaled else "it")
    return {name.removeprefix("model.diffusion_model."): tensors[name].values.astype(np.float32) for name in bar}


def swap_blocks(task: Task, count: int, learning: bool) -> None:
    """Refuse to swap more blocks than the real model can spare."""
    assert count <= task.blocks - 1, (
        f"Cannot swap more than {task.blocks - 1} blocks. Requested {count} blocks to swap."
    )
    print(
        f"WanModel: Block swap enabled. Swapping {count} blocks out of {task.blocks} blocks."
        f" Supports backward: {learning}"
    )


def _check_shapes(weights: dict[str, Array], task: Task) -> None:
    expected = dit_shapes(task)
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
        refuse_weights("WanModel", problems)
