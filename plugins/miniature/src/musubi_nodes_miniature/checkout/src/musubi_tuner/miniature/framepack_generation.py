"""``fpack_generate_video.py``: one prompt, a file of prompts, or latents to decode."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from .encoders import ToyVAE
from .families import Family
from .framepack_loading import TextEncoders, load_image_encoder, load_vae
from .framepack_pipeline import (
    Images,
    TextCache,
    encode_images,
    generate,
    load_denoisers,
    need_seed,
    sections_of,
)
from .framepack_sections import decode
from .output import MAIN
from .outputs import save_images, save_latent, save_video
from .prompts import FRAMEPACK_OPTIONS, generation_prompt, read_prompts, with_overrides
from .tensors import Array, load, metadata_of

LATENT_FIELDS = (
    "video_seconds",
    "infer_steps",
    "guidance_scale",
    "latent_window_size",
    "embedded_cfg_scale",
    "guidance_rescale",
    "sample_solver",
    "fps",
)


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
    elif args.interactive:
        interact(args)
    elif generate_one(args) is None:
        return
    MAIN.info("Done!")


def check(args: argparse.Namespace) -> None:
    """Combinations that upstream refuses at once."""
    if args.from_file and args.interactive:
        raise ValueError("Cannot use both --from_file and --interactive at the same time")
    if not args.latent_path and args.prompt is None and not args.from_file and not args.interactive:
        raise ValueError("Either --prompt, --from_file or --interactive must be specified")
    if args.lycoris and find_spec("lycoris") is None:
        raise ValueError("install lycoris: https://github.com/KohakuBlueleaf/LyCORIS")
    assert not args.save_merged_model or not args.fp8_scaled, "Save merged model is not compatible with fp8_scaled"


def announce_precision(args: argparse.Namespace) -> None:
    weights = "torch.float8_e4m3fn" if args.fp8 and not args.fp8_scaled else None
    MAIN.info(f"Using device: {args.device}, DiT weight weight precision: {weights}")


def generate_one(args: argparse.Namespace) -> Array | None:
    """``--prompt``. With ``--save_merged_model`` it ends early and without a file, as upstream."""
    announce_precision(args)
    need_seed(args)
    MAIN.info("No precomputed data. Preparing image and text inputs.")
    vae = load_vae(args)
    images = encode_images(args, vae)
    texts = TextCache(TextEncoders(args)).encode_all(args)
    denoisers = load_denoisers(args)
    if args.save_merged_model:
        return None
    latent = generate(args, denoisers, images, texts)
    save(latent, args, vae)
    return latent


def keep_latent(latent: Array, args: argparse.Namespace) -> None:
    """Save a latent if ``--output_type`` asks for it."""
    if args.output_type in ("latent", "both", "latent_images"):
        height, width = (side * 8 for side in latent.shape[-2:])
        save_latent(latent, args, height, width, LATENT_FIELDS)


def save(latent: Array, args: argparse.Namespace, vae: ToyVAE, origin: str = "") -> None:
    """Everything that ``--output_type`` asks for."""
    keep_latent(latent, args)
    show(latent, args, vae, origin)


def show(latent: Array, args: argparse.Namespace, vae: ToyVAE, origin: str = "") -> None:
    """The video or the images; ``--video_sections`` does not count here, as upstream."""
    if args.output_type == "latent":
        return
    sections = sections_of(args.video_seconds, args.latent_window_size)
    one_frame = args.one_frame_inference is not None
    frames = decode(latent, vae, sections, args.latent_window_size, args.bulk_decode, one_frame)
    if args.output_type in ("video", "both"):
        save_video(frames, args, f"_{origin}")
    else:
        save_images(frames, args, f"_{origin}", beside=one_frame)


def generate_batch(args: argparse.Namespace) -> None:
    """``--from_file``: images, texts, latents, outputs. A failing prompt is logged, the others go on, exit code 0."""
    prompts = read_prompts(args.from_file, FRAMEPACK_OPTIONS)
    if not prompts:
        MAIN.warning("No valid prompts found")
        return
    announce_precision(args)
    MAIN.info("Loading VAE and Image Encoders for batch image preprocessing...")
    vae, vision = load_vae(args), load_image_encoder(args.image_encoder)
    items = [with_overrides(args, prompt) for prompt in prompts]
    MAIN.info("Preprocessing images and VAE encoding for all prompts...")
    images: list[Images] = []
    for number, item in enumerate(items, 1):
        MAIN.info(f"Image preprocessing for prompt {number}/{len(items)}: {item.prompt}")
        images.append(encode_images(item, vae, vision))
    MAIN.info("Loading Text Encoders for batch text preprocessing...")
    cache = TextCache(TextEncoders(args))
    MAIN.info("Preprocessing text and LLM/TextEncoder encoding for all prompts...")
    texts = []
    for number, item in enumerate(items, 1):
        MAIN.info(f"Text preprocessing for prompt {number}/{len(items)}: {item.prompt}")
        texts.append(cache.encode_all(item))
    MAIN.info("Loading DiT model for batch generation...")
    denoisers = load_denoisers(items[0])
    if args.save_merged_model:
        MAIN.info("Merged DiT model saved. Skipping generation.")
        return
    latents: list[Array | None] = []
    MAIN.info("Generating latents for all prompts...")
    for number, item in enumerate(items, 1):
        MAIN.info(f"Generating latent for prompt {number}/{len(items)}: {item.prompt}")
        try:
            need_seed(item)
            MAIN.info("Using precomputed image and text data.")
            latent = generate(item, denoisers, images[number - 1], texts[number - 1])
            keep_latent(latent[None], item)
            latents.append(latent)
        except Exception as error:
            MAIN.error(f"Error generating latent for prompt: {item.prompt}. Error: {error}", exc_info=True)
            latents.append(None)
    MAIN.info("Releasing DiT model from memory...")
    if args.output_type == "latent":
        return
    MAIN.info("Decoding latents to videos/images using batched VAE...")
    for number, (item, made) in enumerate(zip(items, latents, strict=True), 1):
        if made is None:
            MAIN.warning(f"Skipping decoding for prompt {number} due to previous error.")
            continue
        MAIN.info(f"Decoding output {number}/{len(items)} for prompt: {item.prompt}")
        show(made, item, vae)


def interact(args: argparse.Namespace) -> None:
    """``--interactive``: a prompt per line of stdin until its end."""
    announce_precision(args)
    cache, vision = TextCache(TextEncoders(args)), load_image_encoder(args.image_encoder)
    print("Interactive mode. Enter prompts (Ctrl+D or Ctrl+Z (Windows) to exit):")
    denoisers = None
    for line in sys.stdin:
        if line.strip():
            item = with_overrides(args, generation_prompt(line.strip(), FRAMEPACK_OPTIONS))
            need_seed(item)
            MAIN.info("No precomputed data. Preparing image and text inputs.")
            vae = load_vae(item)
            images, texts = encode_images(item, vae, vision), cache.encode_all(item)
            denoisers = denoisers or load_denoisers(item)
            save(generate(item, denoisers, images, texts), item, vae)
    print("\nExiting interactive mode")


def decode_files(args: argparse.Namespace) -> None:
    """``--latent_path``: decode latents that were saved earlier; all outputs bear the first one's name."""
    latents = []
    for path in args.latent_path:
        latent, metadata = load(path)["latent"].values, metadata_of(path) or {}
        MAIN.info(f"Loaded metadata: {metadata}")
        if "height" in metadata and "width" in metadata:
            args.video_size = [int(metadata["height"]), int(metadata["width"])]
        args.video_seconds = float(metadata.get("video_seconds", args.video_seconds))
        MAIN.info(f"Loaded latent from {path}. Shape: torch.Size({list(latent.shape)})")
        latents.append((latent[0] if latent.ndim == 5 else latent, int(metadata.get("seeds", 0))))
    for latent, seed in latents:
        args.seed = seed
        save(latent, args, load_vae(args), f"_{Path(args.latent_path[0]).stem}")
