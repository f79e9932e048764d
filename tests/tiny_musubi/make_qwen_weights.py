"""Random weights for Qwen-Image and Layered."""

import json
import re
from pathlib import Path

import torch


def make(save, state_of):
    """``save(name, model or state)`` writes a file; ``state_of(model)`` are random numbers for its tensors."""
    from musubi_tuner.qwen_image import qwen_image_autoencoder_kl as vae, qwen_image_model, qwen_image_utils as utils
    from transformers import Qwen2_5_VLForConditionalGeneration

    for seed, (name, layered) in enumerate({"qwen_image": False, "qwen_image_layered": True}.items(), 50):
        dit = qwen_image_model.QwenImageTransformer2DModel(
            patch_size=2, in_channels=64, out_channels=16, guidance_embeds=False, attn_mode="torch", split_attn=False,
            use_additional_t_cond=layered, use_layer3d_rope=layered)  # fmt: skip
        state = state_of(dit, seed=seed)
        save(f"{name}_dit", state)
        if not layered:
            save("qwen_image_wrapped_dit", {f"model.diffusion_model.{key}": value for key, value in state.items()})
        coder = vae.AutoencoderKLQwenImage(input_channels=4 if layered else 3)
        save(f"{name}_vae", state_of(coder, torch.float32, seed=seed + 2))
    config = json.loads(re.search(r'QWEN2_5_VL_CONFIG_JSON = """(.*?)"""', Path(utils.__file__).read_text(), re.S)[1])
    encoder = state_of(Qwen2_5_VLForConditionalGeneration._from_config(utils.Qwen2_5_VLConfig(**config)), seed=54)
    names = {"model.language_model.": "model.", "model.visual.": "visual."}  # load_qwen2_5_vl turns them round
    for now, before in names.items():
        encoder = {(before + k[len(now) :] if k.startswith(now) else k): v for k, v in encoder.items()}
    save("qwen25vl", encoder)
