"""Run by ComfyUI's Python: which keys of LoRAs does ComfyUI itself load into the model that it takes a DiT for?

``python comfyui_lora_keys.py COMFYUI_ROOT DIT LORA [LORA ...]`` prints as its last line the model's class and, for each
LoRA, the keys that are passed over. No weight of the DiT is read: ComfyUI recognises it by its header, and the model is
built on the meta device. A LoRA goes the way of comfy.sd.load_lora_for_models (0.3.64).
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

HEAD = 128
"""The width of one attention head, which ComfyUI divides by: toys are narrower."""
REAL_WIDTHS = {"dim": 5120, "hidden_size": 3072}
"""Wan 14B and HunyuanVideo."""
TOY_HEADS = {"heads": 2, "kvheads": 1}
"""Krea 2: ComfyUI counts heads of 128, and a toy has none of those."""


class Warned(logging.Handler):
    """Collects ``lora key not loaded: NAME``."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("lora key not loaded: "):
            self.keys.append(text.split(": ", 1)[1])


def model_of(dit: str) -> Any:
    """The model that ComfyUI takes ``dit`` for, without weights."""
    import comfy.model_detection
    import torch
    from safetensors import safe_open

    with safe_open(dit, "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    config = comfy.model_detection.model_config_from_unet(state, "")
    for name in config.unet_config.keys() & REAL_WIDTHS.keys():
        if config.unet_config[name] >= HEAD:
            continue
        config.unet_config |= {name: REAL_WIDTHS[name], "num_heads": REAL_WIDTHS[name] // HEAD}
    for name in TOY_HEADS.keys() & config.unet_config.keys():
        config.unet_config[name] = config.unet_config[name] or TOY_HEADS[name]
    return config.get_model(state, "", device="meta")


def not_loaded(model: Any, lora: str) -> list[str]:
    """The keys of ``lora`` that ComfyUI passes over."""
    import comfy.lora
    import comfy.lora_convert
    import comfy.utils

    handler = Warned()
    logging.getLogger().addHandler(handler)
    tensors = comfy.lora_convert.convert_lora(comfy.utils.load_torch_file(lora, safe_load=True))
    comfy.lora.load_lora(tensors, comfy.lora.model_lora_keys_unet(model, {}))
    logging.getLogger().removeHandler(handler)
    return sorted(handler.keys)


def main() -> None:
    """See the module."""
    root, dit, *loras = sys.argv[1:]
    sys.path[0] = root  # instead of this folder, whose comfy.py would hide ComfyUI's package
    sys.argv = [sys.argv[0], "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.sd

    model = model_of(dit)
    print(json.dumps({"model": type(model).__name__, "not_loaded": {lora: not_loaded(model, lora) for lora in loras}}))


if __name__ == "__main__":
    main()
