"""The parts of FramePack that generation needs, and what they make of images and texts."""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from .buckets import BucketSelector
from .encoders import ToyVAE, ToyVision, normalized
from .families import Condition, Denoisers
from .framepack_loading import TextEncoders, load_dit, load_image_encoder, read_loras, swap_blocks
from .framepack_one_frame import Mask, modes_of, one_frame_latents
from .framepack_samples import SHIFT, make_section
from .framepack_sections import Clean, Course, blank_history, make_latent, section_strings
from .media import fit
from .output import MAIN
from .sampling import Plan
from .tensors import Array

INFERENCE = logging.getLogger("musubi_tuner.frame_pack.hunyuan_video_packed_inference")
PLACEHOLDER = "placeholder_image"


@dataclass(frozen=True)
class StartImage:
    """What a section starts from."""

    latent: Array
    embedding: Array
    path: str


@dataclass(frozen=True)
class Images:
    """The images of a prompt, by section where there are several."""

    size: tuple[int, int]
    seconds: float
    starts: dict[int, StartImage]
    end: Array | None
    controls: list[Array]
    masks: dict[int, Mask]


@dataclass(frozen=True)
class Text:
    """A prompt as its DiT sees it."""

    prompt: str
    words: Array
    pooled: Array


@dataclass(frozen=True)
class Texts:
    """The prompts by section, and the negative one."""

    sections: dict[int, Text]
    negative: Text


@dataclass
class TextCache:
    """Encoded prompts; the line about moved models comes with the first new one."""

    encoders: TextEncoders
    known: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    def encode_all(self, args: argparse.Namespace) -> Texts:
        """The texts of one prompt line."""
        MAIN.info("Encoding prompt with Text Encoders")
        sections = section_strings(args.prompt or " ")
        wanted = [*sections.values(), *([args.negative_prompt or ""] if args.guidance_scale != 1.0 else [])]
        if any(text not in self.known for text in wanted):
            MAIN.info(f"Moving DiT and Text Encoders to appropriate device: {args.device} or CPU")
        for text in wanted:
            if text not in self.known:
                self.known[text] = self.encoders.encode(text)
        found = {index: Text(text, *self.known[text]) for index, text in sections.items()}
        if args.guidance_scale != 1.0:
            return Texts(found, Text(wanted[-1], *self.known[wanted[-1]]))
        return Texts(found, Text("", np.zeros_like(found[0].words), np.zeros_like(found[0].pooled)))


def check_size(args: argparse.Namespace) -> tuple[int, int, float]:
    """Height, width and seconds; ``--video_sections`` goes before ``--video_seconds``."""
    height, width = args.video_size
    seconds = args.video_seconds
    if args.video_sections is not None:
        seconds = (args.video_sections * (args.latent_window_size * 4) + 1) / args.fps
    if args.one_frame_inference is not None and args.one_frame_auto_resize and args.control_image_path is not None:
        with Image.open(args.control_image_path[0]) as control:
            width, height = BucketSelector((width, height)).size_for(control.size)
            MAIN.info(f"Adjusted image size to {width}x{height} based on control image size {control.size}")
    if height % 8 or width % 8:
        raise ValueError(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
    return height, width, seconds


def sections_of(seconds: float, window: int) -> int:
    return max(round(seconds * 30 / (window * 4)), 1)


def encode_images(args: argparse.Namespace, vae: ToyVAE, vision: ToyVision | None = None) -> Images:
    """Start images, end image and control images; without a start image it is black."""
    height, width, seconds = check_size(args)

    def read(path: str) -> tuple[Array, Image.Image | None]:
        image = Image.open(path)
        alpha = image.split()[-1] if image.mode == "RGBA" else None
        return fit(image.convert("RGB"), (width, height)), alpha

    def encode(pixels: Array) -> Array:
        return vae.encode(normalized(pixels[None]))

    paths = section_strings(args.image_path) or {0: PLACEHOLDER}
    pictures = {index: read(path)[0] for index, path in paths.items() if path != PLACEHOLDER}
    black = np.zeros((height, width, 3), np.uint8)
    end = None if args.end_image_path is None else read(args.end_image_path)[0]
    controls = [read(path) for path in args.control_image_path or []]
    vision = vision or load_image_encoder(args.image_encoder)
    MAIN.info("Encoding image to latent space with VAE")
    starts = {
        index: StartImage(encode(picture), vision.encode(picture), path)
        for index, path in paths.items()
        for picture in (pictures.get(index, black),)
    }
    masks: dict[int, Mask] = {
        number: (alpha, " with alpha channel: ") for number, (_, alpha) in enumerate(controls) if alpha is not None
    }
    for number, path in enumerate(args.control_image_mask_path or []):
        masks[number] = (Image.open(path), f": {path}, shape: ")
    latents = [encode(pixels) for pixels, _ in controls]
    return Images((height, width), seconds, starts, None if end is None else encode(end), latents, masks)


def load_denoisers(args: argparse.Namespace) -> Denoisers:
    """The DiT with its LoRAs merged; with ``--save_merged_model`` nothing more is said."""
    loras = read_loras(args)
    MAIN.info(f"Loading DiT model from: {args.dit}")
    dit = load_dit(args.dit, args.fp8_scaled and not args.lycoris, loras)
    if args.rope_scaling_timestep_threshold is not None:
        MAIN.info(
            f"Applying RoPE scaling factor {args.rope_scaling_factor} for timesteps >="
            f" {args.rope_scaling_timestep_threshold}"
        )
    if args.magcache_mag_ratios is not None or args.magcache_calibration:
        ratios = [float(text) for text in (args.magcache_mag_ratios or "0").split(",")]
        MAIN.info(
            f"Initializing MagCache with mag_ratios: {None if ratios == [0] else ratios}, retention_ratio:"
            f" {args.magcache_retention_ratio}, magcache_thresh: {args.magcache_threshold}, K: {args.magcache_k},"
            f" calibration: {args.magcache_calibration}"
        )
    if args.save_merged_model:
        return Denoisers(dit)
    if not args.fp8_scaled:
        if args.fp8:
            raise AttributeError("module 'torch' has no attribute 'float8e4m3fn'")
        if not args.blocks_to_swap:
            MAIN.info(f"Move model to device: {args.device}")
    if args.blocks_to_swap:
        MAIN.info(f"Enable swap {args.blocks_to_swap} blocks to CPU from device: {args.device}")
        swap_blocks(args.blocks_to_swap, learning=False)
    return Denoisers(dit)


def tell_magcache(args: argparse.Namespace) -> None:
    """Ratios for another number of steps are interpolated; 0 stands for those of 50 steps."""
    if args.magcache_mag_ratios is not None and not args.magcache_calibration:
        ratios = args.magcache_mag_ratios.split(",")
        count = 50 if ratios == ["0"] else len(ratios)
        if count != args.infer_steps:
            INFERENCE.info(f"Interpolating mag_ratios from {count} to {args.infer_steps} steps.")


def generate(args: argparse.Namespace, denoisers: Denoisers, images: Images, texts: Texts) -> Array:
    """The latent of one prompt."""
    height, width = images.size
    window = args.latent_window_size
    count = sections_of(images.seconds, window)
    MAIN.info(
        f"Video size: {height}x{width}@{images.seconds} (HxW@seconds), fps: {args.fps}, num sections: {count},"
        f" infer_steps: {args.infer_steps}, frames per generation: {window * 4 - 3}"
    )
    scale, shift = args.guidance_scale, args.flow_shift if args.flow_shift is not None else SHIFT

    def make(section: int, clean: Clean, text: Text, start: StartImage, frames: int) -> Array:
        tell_magcache(args)
        if args.sample_solver != "unipc":
            raise NotImplementedError(f"Sampler {args.sample_solver} is not supported.")
        plan = Plan(args.infer_steps, shift, (scale, scale), args.seed + section, top=1.0)
        positive, negative = (
            Condition(
                known.words,
                image=start.embedding,
                pooled=known.pooled,
                guidance=args.embedded_cfg_scale,
                history=clean,
            )
            for known in (text, texts.negative)
        )
        return make_section(denoisers, frames, positive, negative, plan)

    if args.one_frame_inference is not None:
        modes, size = modes_of(args.one_frame_inference), (height // 8, width // 8)
        clean = one_frame_latents(modes, images.controls, window, size, images.masks)
        MAIN.info(f"Prompt: {texts.sections[0].prompt}")
        return make(0, clean, texts.sections[0], images.starts[0], 1)

    def index_in(known: dict[int, Text] | dict[int, StartImage], section: int) -> int:
        """Counted from the end, from the beginning, or the first."""
        return next((index for index in (section - count, section) if index in known), 0)

    def start_of(section: int, padding: int) -> Array:
        index = index_in(images.starts, section)
        start = images.starts[index]
        if index:
            MAIN.info(f"Apply experimental section image, latent_padding_size = {padding}, image_path = {start.path}")
        return start.latent

    def section_of(section: int, clean: Clean) -> Array:
        text = texts.sections[index_in(texts.sections, section)]
        MAIN.info(f"Section {section}: {text.prompt}")
        return make(section, clean, text, images.starts[index_in(images.starts, section)], window)

    history = blank_history(height // 8, width // 8)
    if images.end is not None and not args.f1:
        MAIN.info(f"Use end image(s): {args.end_image_path}")
        history[:, :1] = images.end
    return make_latent(Course(count, window, args.f1, args.latent_paddings), history, start_of, section_of)


def need_seed(args: argparse.Namespace) -> None:
    """A random seed where none was given; it is in the names of the files."""
    args.seed = args.seed if args.seed is not None else random.randint(0, 2**32 - 1)
