"""Loading a toy Wan DiT with upstream's bar, lines and refusals."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .loading import check_shapes, load_merged, tell_scaled
from .tensors import Tensor, read_header
from .wan_dit import WanDiT
from .wan_models import Task, dit_shapes

MODEL = logging.getLogger("musubi_tuner.wan.modules.model")
PRECISIONS = {"BF16": ("torch.bfloat16", "bf16"), "F16": ("torch.float16", "fp16"), "F32": ("torch.float32", "no")}


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
) -> WanDiT:
    """A toy DiT for ``task``, with LoRAs merged into it; upstream's bar, lines and refusals."""
    scaled, pairs = precision.fp8_scaled, list(loras)
    MODEL.info(
        f"Creating WanModel. I2V: {task.i2v}, FLF2V: {task.flf2v}, V2.2: {task.v2_2}, device: cpu,"
        f" loading_device: cpu, fp8_scaled: {scaled}"
    )
    MODEL.info(f"Loading DiT model from {path}, device=cpu")
    weights = load_merged(path, scaled, pairs)
    check_shapes("WanModel", weights, dit_shapes(task))
    dit = WanDiT(weights)
    if scaled:
        tell_scaled(dit)
    else:
        MODEL.info(f"Casting model weights to {precision.weights}")
    MODEL.info(f"Loaded DiT model from {path}, info=<All keys matched successfully>")
    return dit


def swap_blocks(task: Task, count: int, learning: bool) -> None:
    """Refuse to swap more blocks than the real model can spare."""
    assert count <= task.blocks - 1, (
        f"Cannot swap more than {task.blocks - 1} blocks. Requested {count} blocks to swap."
    )
    print(
        f"WanModel: Block swap enabled. Swapping {count} blocks out of {task.blocks} blocks."
        f" Supports backward: {learning}"
    )
