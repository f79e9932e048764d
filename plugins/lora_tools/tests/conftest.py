"""The LoRA tools on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families import Lora
from musubi_nodes.testing.workplace import Workplace

WAN = ("blocks.0.self_attn.q", "blocks.0.cross_attn.k", "blocks.1.ffn.0")
FRAMEPACK = ("transformer_blocks.0.attn.to_q", "single_transformer_blocks.1.proj_mlp")


class ToolPlace(Workplace):
    """Makes LoRA files."""

    def lora(self, name: str, modules: tuple[str, ...] = WAN, rank: int = 4, seed: int = 0, alpha: float = 2.0) -> Any:
        """A LoRA of random weights in musubi-tuner's format, in the loras folder."""
        from safetensors.numpy import save_file

        folder = self.host.output_folder / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        dice = np.random.default_rng(seed)
        tensors = {}
        for module in modules:
            flat = "lora_unet_" + module.replace(".", "_")
            tensors[f"{flat}.lora_down.weight"] = dice.standard_normal((rank, 8)).astype(np.float32)
            tensors[f"{flat}.lora_up.weight"] = dice.standard_normal((8, rank)).astype(np.float32)
            tensors[f"{flat}.alpha"] = np.array(alpha, np.float32)
        save_file(tensors, folder / f"{name}.safetensors")
        return Lora(path=folder / f"{name}.safetensors", format="musubi")


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> ToolPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return ToolPlace(tmp_path)


def effective(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Effective weights of a LoRA in either format: up x down x alpha / rank."""
    from safetensors.numpy import load_file

    tensors, found = load_file(path), {}
    for name, down in tensors.items():
        for low, high in ((".lora_down.", ".lora_up."), (".lora_A.", ".lora_B.")):
            if low not in name:
                continue
            stem = name.split(low)[0]
            alpha = tensors.get(f"{stem}.alpha")
            scale = float(alpha) / down.shape[0] if alpha is not None else 1.0
            module = stem.removeprefix("lora_unet_").removeprefix("diffusion_model.").replace(".", "_")
            found[module] = scale * (tensors[name.replace(low, high)].astype(np.float64) @ down.astype(np.float64))
    return found


@pytest.fixture
def weights() -> Any:
    """The function that gives a LoRA's effective weights."""
    return effective
