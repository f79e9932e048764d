"""Samples of HunyuanVideo while training."""

from __future__ import annotations

import argparse

import numpy as np

from .encoders import normalized
from .families import Condition, Denoisers, SampleSize
from .hunyuan_conditions import IMAGE_CHANNELS, check_patches
from .hunyuan_loading import TextEncoder, load_vae
from .media import fit, open_image
from .output import MAIN
from .prompts import Prompt
from .sampling import Plan, denoise
from .tensors import Array


class HunyuanSampling:
    """Prompts, encoded by one text encoder after the other, and the VAE."""

    def __init__(self, args: argparse.Namespace, prompts: list[Prompt]) -> None:
        self.image_to_video = args.dit_in_channels == IMAGE_CHANNELS
        self.texts: dict[str, dict[str, Array]] = {}
        for number, path, kind in ((1, args.text_encoder1, "llm"), (2, args.text_encoder2, "clipL")):
            MAIN.info(f"loading text encoder {number}: {path}")
            encoder = TextEncoder(path, kind, args.fp8_llm and kind == "llm", args.text_encoder_dtype)
            MAIN.info(f"encoding with Text Encoder {number}")
            self._encode(encoder, prompts)
        self.vae = load_vae(args.vae, args.vae_dtype)
        if args.vae_chunk_size is not None:
            MAIN.info(f"Set chunk_size to {args.vae_chunk_size} for CausalConv3d in VAE")

    def _encode(self, encoder: TextEncoder, prompts: list[Prompt]) -> None:
        for prompt in prompts:
            for text in (prompt.get("prompt", ""), prompt.get("negative_prompt")):
                if text is not None and encoder.kind not in self.texts.setdefault(text, {}):
                    MAIN.info(f"cache Text Encoder outputs for prompt: {text}")
                    values, mask = encoder.encode(text)
                    self.texts[text][encoder.kind] = values[mask != 0] if encoder.kind == "llm" else values

    def _condition(self, text: str, channels: Array | None, guidance: float) -> Condition:
        found = self.texts[text]
        return Condition(found["llm"], channels, pooled=found["clipL"], guidance=guidance)

    def make(self, prompt: Prompt, size: SampleSize, seed: int, denoisers: Denoisers) -> Array:
        """The frames of one prompt."""
        shape = (16, (size.frames - 1) // 4 + 1, size.height // 8, size.width // 8)
        channels = None
        if self.image_to_video:
            MAIN.info("Encoding image to latents")
            image = fit(open_image(prompt["image_path"]), (size.width, size.height))[..., :3]
            channels = np.zeros(shape, np.float32)
            channels[:, :1] = self.vae.encode(normalized(image[None]))
        check_patches(shape[1:])
        guidance = prompt.get("guidance_scale", 6.0)
        scale = prompt.get("cfg_scale") or 1.0 if prompt.get("negative_prompt") is not None else 1.0
        plan = Plan(
            prompt.get("sample_steps", 20), prompt.get("discrete_flow_shift", 14.5), (scale, scale), seed, top=1.0
        )
        positive = self._condition(prompt.get("prompt", ""), channels, guidance)
        negative = self._condition(prompt.get("negative_prompt") or prompt.get("prompt", ""), channels, guidance)
        name = f"Sampling timesteps for prompt {prompt['enum'] + 1}"
        return self.vae.decode(denoise(denoisers, shape, positive, negative, plan, name))
