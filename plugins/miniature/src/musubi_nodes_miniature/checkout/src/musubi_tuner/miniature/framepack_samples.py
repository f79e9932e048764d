"""Samples of FramePack while training."""

from __future__ import annotations

import argparse

from PIL import Image

from .encoders import normalized
from .families import Condition, Denoisers, SampleSize
from .framepack_loading import TextEncoders, load_image_encoder, load_vae
from .framepack_one_frame import Mask, modes_of, one_frame_latents
from .framepack_sections import Clean, Course, blank_history, decode, make_latent
from .media import fit
from .output import MAIN
from .prompts import Prompt
from .sampling import Plan, denoise
from .tensors import Array

SHIFT = 3.0
"""FramePack derives its shift from the size; the toy does not."""


def check_patches(height: int, width: int) -> None:
    """Latents with an odd side fail inside the transformer upstream."""
    if height % 2 or width % 2:
        cells, tokens = height * width // 4, (height // 2) * (width // 2)
        raise RuntimeError(
            f"The size of tensor a ({cells + 1}) must match the size of tensor b ({tokens}) at non-singleton"
            " dimension 1"
        )


def make_section(denoisers: Denoisers, frames: int, condition: Condition, negative: Condition, plan: Plan) -> Array:
    """The latent of one section, of the size that its clean latents have."""
    clean = condition.history[0]
    assert clean is not None
    height, width = clean.shape[2:]
    check_patches(height, width)
    return denoise(denoisers, (16, frames, height, width), condition, negative, plan)


class FramePackSampling:
    """Prompts and start images, encoded once, and the VAE."""

    def __init__(self, args: argparse.Namespace, prompts: list[Prompt]) -> None:
        self.args = args
        encoders = TextEncoders(args)
        self.texts: dict[str, tuple[Array, Array]] = {}
        for prompt in prompts:
            for text in (prompt.get("prompt", ""), prompt.get("negative_prompt", "")):
                if text is not None and text not in self.texts:
                    MAIN.info(f"cache Text Encoder outputs for prompt: {text}")
                    self.texts[text] = encoders.encode(text)
        vision = load_image_encoder(args.image_encoder)
        self.images: dict[str, Array] = {}
        for prompt in prompts:
            path = prompt.get("image_path")
            assert path is not None, "image_path should be set for I2V training"
            if path not in self.images:
                MAIN.info(f"Encoding image to image encoder context: {path}")
                size = (prompt.get("width", 256), prompt.get("height", 256))
                self.images[path] = vision.encode(fit(Image.open(path).convert("RGB"), size))
        MAIN.info(f"Loading VAE model from {args.vae}")
        self.vae = load_vae(args)

    def make(self, prompt: Prompt, size: SampleSize, seed: int, denoisers: Denoisers) -> Array | None:
        """The frames of one prompt, ``None`` where they are too few for one section."""
        args, window = self.args, self.args.latent_window_size
        have = (size.frames - 1) // 4 + 1
        count = (have - 1) // window
        if count < 1 and not args.one_frame:
            MAIN.warning(f"Not enough frames for FramePack: {have}, minimum: {window * 4 + 1}")
            return None
        if (actual := count * window * 4 + 1) != size.frames:
            MAIN.info(f"Frame count mismatch: {actual} != {size.frames}, trimming to {actual}")
        MAIN.info("Encoding image to latent space")
        start, _ = self._latent(prompt["image_path"], size)
        scale = prompt.get("cfg_scale") or 1.0 if prompt.get("negative_prompt") is not None else 1.0
        steps = prompt.get("sample_steps", 20)

        def section(number: int, clean: Clean) -> Array:
            plan = Plan(steps, SHIFT, (scale, scale), seed + number, top=1.0)
            positive, negative = (self._condition(prompt, key, clean) for key in ("prompt", "negative_prompt"))
            return make_section(denoisers, 1 if args.one_frame else window, positive, negative, plan)

        if args.one_frame:
            latent = section(0, self._one_frame(prompt, size))
        else:
            course = Course(count, window, args.f1)
            latent = make_latent(course, blank_history(*start.shape[2:]), lambda number, padding: start, section)
        # upstream waits here, the miniature only says so
        MAIN.info("Waiting for 5 seconds to finish block swap")
        return decode(latent, self.vae, count, window, args.bulk_decode, args.one_frame)

    def _condition(self, prompt: Prompt, key: str, clean: Clean) -> Condition:
        words, vector = self.texts[prompt.get(key, "")]
        guidance = prompt.get("guidance_scale", 10.0)
        image = self.images[prompt["image_path"]]
        return Condition(words, image=image, pooled=vector, guidance=guidance, history=clean)

    def _latent(self, path: str, size: SampleSize) -> tuple[Array, Image.Image | None]:
        image = Image.open(path)
        alpha = image.split()[-1] if image.mode == "RGBA" else None
        pixels = fit(image.convert("RGB"), (size.width, size.height))
        return self.vae.encode(normalized(pixels[None])), alpha

    def _one_frame(self, prompt: Prompt, size: SampleSize) -> Clean:
        latents, masks = [], dict[int, Mask]()
        for number, path in enumerate(prompt.get("control_image_path", [])):
            latent, alpha = self._latent(path, size)
            latents.append(latent)
            if alpha is not None:
                masks[number] = (alpha, ": shape: ")
        modes = modes_of(prompt["one_frame"])
        window, cells = self.args.latent_window_size, (size.height // 8, size.width // 8)
        return one_frame_latents(modes, latents, window, cells, masks)
