"""Samples of Wan while training."""

from __future__ import annotations

import argparse

import numpy as np

from .encoders import ToyVision, normalized
from .families import Condition, Denoisers, SampleSize
from .media import fit, open_image, read_video
from .output import MAIN
from .prompts import Prompt
from .sampling import Plan, denoise
from .tensors import Array
from .wan_conditions import check_patches, image_channels, with_control
from .wan_encoders import ToyT5, load_clip, load_vae
from .wan_models import NEGATIVE_PROMPT, TASKS


class WanSampling:
    """Samples of Wan while training, by the low noise DiT alone, as upstream."""

    def __init__(self, args: argparse.Namespace, prompts: list[Prompt]) -> None:
        self.task, self.name = TASKS[args.task], args.task
        MAIN.info(f"loading T5: {args.t5}")
        self.t5 = ToyT5(args.t5)
        MAIN.info("encoding with Text Encoder 1")
        self.texts: dict[str, Array] = {}
        for prompt in prompts:
            prompt.setdefault("negative_prompt", NEGATIVE_PROMPT)
            for text in (prompt.get("prompt", ""), prompt["negative_prompt"]):
                if text not in self.texts:
                    MAIN.info(f"cache Text Encoder outputs for prompt: {text}")
                    self.texts[text] = self.t5.encode(text)
        self.clip = self._load_clip(args, prompts)
        MAIN.info(f"Loading VAE model from {args.vae}")
        self.vae = load_vae(args.vae)

    def _load_clip(self, args: argparse.Namespace, prompts: list[Prompt]) -> ToyVision | None:
        i2v = "i2v" in self.name or "flf2v" in self.name
        if not i2v or self.task.v2_2 or not any(prompt.get("image_path") for prompt in prompts):
            return None
        MAIN.info(f"loading CLIP: {args.clip}")
        assert args.clip is not None, "CLIP path is required for I2V training / I2V学習にはCLIPのパスが必要です"
        clip = load_clip(args.clip)
        MAIN.info("Encoding image to CLIP context")
        return clip

    def make(self, prompt: Prompt, size: SampleSize, seed: int, denoisers: Denoisers) -> Array:
        """The frames of one prompt."""
        pixels = np.zeros((size.frames, size.height, size.width, 3), np.float32)
        channels = image = None
        if prompt.get("image_path") is not None and ("i2v" in self.name or "flf2v" in self.name):
            first = fit(open_image(prompt["image_path"]), (size.width, size.height))[..., :3]
            pixels[0] = normalized(first)
            channels = image_channels(self.vae, pixels)
            image = self.clip.encode(first) if self.clip else None
        if self.task.control:
            frames = read_video(prompt["control_video_path"], size.frames, size=(size.width, size.height))
            channels = with_control(self.vae.encode(normalized(np.stack(frames))), channels)
        check_patches(size.height, size.width)
        shape = (16, (size.frames - 1) // 4 + 1, size.height // 8, size.width // 8)
        guidance = prompt.get("cfg_scale") or self.task.guidance[0]
        plan = Plan(prompt.get("sample_steps", 20), prompt.get("discrete_flow_shift", 14.5), (guidance,) * 2, seed)
        positive = Condition(self.texts[prompt.get("prompt", "")], channels, image)
        negative = Condition(self.texts[prompt["negative_prompt"]], channels, image)
        name = f"Sampling timesteps for prompt {prompt['enum'] + 1}"
        latent = denoise(Denoisers(denoisers.low), shape, positive, negative, plan, name)
        MAIN.info(f"Decoding video from latents: torch.Size({list(shape)})")
        frames_out = self.vae.decode(latent)
        MAIN.info("Decoding complete")
        return frames_out
