"""``zimage_generate_image.py``: one prompt, a file of prompts, or latents to decode."""

from __future__ import annotations

import argparse
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .encoders import ToyVAE
from .families import Denoisers, Family
from .lora import filtered, padded_multipliers
from .output import MAIN
from .outputs import save_images, save_latent
from .prompts import ZIMAGE_OPTIONS, read_prompts, with_overrides
from .tensors import Array, load, metadata_of
from .zimage import Qwen3, load_dit, load_vae, paint, plan_of, swap_blocks

LATENT_FIELDS = ("infer_steps", "embedded_cfg_scale", "guidance_scale")
Texts = tuple[Array, Array]
"""The tokens of the prompt and of the negative prompt."""


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Generate."""
    print("\n".join(family.import_lines))
    check(args)
    args.device = args.device if args.device is not None else "cpu"
    MAIN.info(f"Using device: {args.device}")
    if args.latent_path:
        decode_files(args)
    elif args.from_file:
        generate_batch(args)
    else:
        tell_precision(args)
        latent = generate(args, encode(args, Qwen3(args.text_encoder)), load_denoisers(args))
        write(args, load_vae(args.vae), latent)
    MAIN.info("Done!")


def check(args: argparse.Namespace) -> None:
    """Combinations that upstream refuses at once, and what the practice install does without."""
    if args.interactive:
        raise NotImplementedError("the practice install makes pictures of Z-Image from --prompt and --from_file only")
    if not args.latent_path and args.prompt is None and not args.from_file:
        raise ValueError("Either --prompt, --from_file or --interactive must be specified")
    if args.lycoris and find_spec("lycoris") is None:
        raise ValueError("install lycoris: https://github.com/KohakuBlueleaf/LyCORIS")


def tell_precision(args: argparse.Namespace) -> None:
    weights = "None" if args.fp8_scaled else "torch.float8_e4m3fn" if args.fp8 else "torch.bfloat16"
    MAIN.info(f"Using device: {args.device}, DiT weight weight precision: {weights}")


def check_size(args: argparse.Namespace) -> tuple[int, int]:
    """Height and width; sizes that are no multiple of 16 are refused."""
    height, width = args.image_size
    if height % 16 or width % 16:
        raise ValueError(f"`height` and `width` have to be divisible by 16 but are {height} and {width}.")
    return height, width


def encode(args: argparse.Namespace, qwen3: Qwen3) -> Texts:
    """Without a negative prompt guidance goes away from nothing at all."""
    MAIN.info("Encoding prompt with Text Encoder.")
    positive = qwen3.encode(args.prompt)
    if args.negative_prompt is not None:
        return positive, qwen3.encode(args.negative_prompt)
    if args.guidance_scale > 1:
        MAIN.warning("CFG is enabled but negative prompt is not provided. Using unconditional generation with zeros.")
    return positive, np.zeros_like(positive)


def load_denoisers(args: argparse.Namespace) -> Denoisers:
    """The DiT with its LoRAs merged."""
    pairs, loras = [], args.lora_weight or []
    multipliers = padded_multipliers(args.lora_multiplier, len(loras)) if loras else []
    for path, multiplier in zip(loras, multipliers, strict=True):
        MAIN.info(f"Loading LoRA weight from: {path}")
        pairs.append((filtered(load(path), args.include_patterns, args.exclude_patterns), multiplier))
    dit = load_dit(args.dit, args.fp8_scaled, pairs)
    if args.blocks_to_swap:
        MAIN.info(f"Enable swap {args.blocks_to_swap} blocks to CPU from device: {args.device}")
        swap_blocks(args.blocks_to_swap, learning=False)
    return Denoisers(dit)


def generate(args: argparse.Namespace, texts: Texts, denoisers: Denoisers) -> Array:
    """The latent of one prompt."""
    args.seed = args.seed if args.seed is not None else random.randint(0, 2**32 - 1)
    height, width = check_size(args)
    MAIN.info(f"Image size: {height}x{width} (HxW), infer_steps: {args.infer_steps}")
    MAIN.info(f"Prompt: {args.prompt}")
    plan = plan_of(args.infer_steps, args.flow_shift, args.guidance_scale, args.seed)
    latent = paint(denoisers, texts, plan, (height, width), "Denoising steps")
    if args.output_type in ("latent", "latent_images"):
        save_latent(latent[None, :, 0], args, height, width, LATENT_FIELDS)
    return latent


def generate_batch(args: argparse.Namespace) -> None:
    """``--from_file``: all texts, all latents, all pictures; a prompt that fails is logged and left out."""
    prompts = [with_overrides(args, prompt) for prompt in read_prompts(args.from_file, ZIMAGE_OPTIONS)]
    if not prompts:
        MAIN.warning("No valid prompts found")
        return
    tell_precision(args)
    MAIN.info("Loading VAE for batch generation...")
    vae = load_vae(args.vae)
    for each in prompts:
        check_size(each)
    MAIN.info("Loading Text Encoder for batch text preprocessing...")
    qwen3 = Qwen3(args.text_encoder)
    texts = [encode(each, qwen3) for each in prompts]
    MAIN.info("Loading DiT model for batch generation...")
    denoisers = load_denoisers(args)
    latents: list[Array | None] = []
    for number, (each, pair) in enumerate(zip(prompts, texts, strict=True), 1):
        MAIN.info(f"Generating latent for prompt {number}/{len(prompts)}: {each.prompt}")
        try:
            latents.append(generate(each, pair, denoisers))
        except Exception as error:
            MAIN.error(f"Error generating latent for prompt: {each.prompt}. Error: {error}", exc_info=True)
            latents.append(None)
    if args.output_type == "latent":
        return
    MAIN.info("Decoding latents to videos/images using batched VAE...")
    for number, (each, latent) in enumerate(zip(prompts, latents, strict=True), 1):
        if latent is None:
            MAIN.warning(f"Skipping decoding for prompt {number} due to previous error.")
            continue
        MAIN.info(f"Decoding output {number}/{len(prompts)} for prompt: {each.prompt}")
        write(each, vae, latent)


def write(args: argparse.Namespace, vae: ToyVAE, latent: Array, suffix: str = "") -> None:
    """The picture of a latent, where one is wanted."""
    if args.output_type == "latent":
        return
    MAIN.info(f"Decoding image. Latent shape torch.Size({[16, *latent.shape[2:]]}), device {args.device}")
    save_images(vae.decode(latent), args, suffix)


def decode_files(args: argparse.Namespace) -> None:
    """``--latent_path``: pictures of latents that were saved earlier."""
    for path in args.latent_path:
        tensor, metadata = load(path)["latent"], metadata_of(path) or {}
        MAIN.info(f"Loaded metadata: {metadata}")
        MAIN.info(f"Loaded latent from {path}. Shape: torch.Size({list(tensor.shape)})")
        args.seed = int(metadata.get("seeds", 0))
        write(args, load_vae(args.vae), tensor.values.reshape(16, 1, *tensor.shape[-2:]), f"__{Path(path).stem}")
