"""The LoRA tools on the miniature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families import Lora
from musubi_nodes.testing.workplace import Workplace

WAN = ("blocks.0.self_attn.q", "blocks.0.cross_attn.k", "blocks.1.ffn.0")
FRAMEPACK = ("transformer_blocks.0.attn.to_q", "single_transformer_blocks.1.proj_mlp")


class ToolPlace(Workplace):
    """Makes LoRA files of random weights."""

    def random(
        self,
        name: str,
        modules: tuple[str, ...] = WAN,
        rank: int = 4,
        seed: int = 0,
        alpha: float = 2.0,
        shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    ) -> Lora:
        """A LoRA in musubi-tuner's format, in the loras folder; ``shapes``: of the changed weights, else 8 x 8."""
        from safetensors.numpy import save_file

        folder = self.host.output_folder / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        dice = np.random.default_rng(seed)
        tensors = {}
        for module in modules:
            rows, columns = shapes.get(module, (8, 8))
            flat = "lora_unet_" + module.replace(".", "_")
            tensors[f"{flat}.lora_down.weight"] = dice.standard_normal((rank, columns)).astype(np.float32)
            tensors[f"{flat}.lora_up.weight"] = dice.standard_normal((rows, rank)).astype(np.float32)
            tensors[f"{flat}.alpha"] = np.array(alpha, np.float32)
        save_file(tensors, folder / f"{name}.safetensors")
        return Lora(path=folder / f"{name}.safetensors", format="musubi")

    def chain(self, *loras: Lora) -> Any:
        """The LoRAs as one chain, first to last."""
        last = None
        for lora in loras:
            last = lora.model_copy(update={"previous": last})
        return last

    def model(self, name: str) -> Path:
        """A DiT of the miniature."""
        return self.services.install().models["diffusion_models"] / f"{name}.safetensors"


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


def bfloat16(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a file in bfloat16, which numpy does not have: the upper half of a float32."""
    from safetensors import deserialize

    return {
        name: (np.frombuffer(bytes(tensor["data"]), "<u2").astype("<u4") << 16).view("<f4").reshape(tensor["shape"])
        for name, tensor in deserialize(Path(path).read_bytes())
    }


@pytest.fixture
def tensors() -> Any:
    """The function that reads a DiT's weights."""
    return bfloat16
