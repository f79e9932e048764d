"""``hv_generate_video.py``: text, video or image to video, and decoding of saved latents."""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .dataset import frames_of
from .encoders import ToyVAE, normalized
from .families import Condition, Denoisers, Family
from .hunyuan_conditions import check_patches
from .hunyuan_loading import TextEncoder, load_dit, load_vae, merge_loras, need_attention, swap_blocks
from .media import fit, open_image, read_video, write_video
from .output import MAIN
from .outputs import latent_metadata, time_flag, write_frames, write_latent
from .sampling import Plan, denoise
from .tensors import Array, Tensor, load, metadata_of, save

LATENT_FIELDS = ("video_length", "infer_steps", "guidance_scale", "embedded_cfg_scale")


@dataclass(frozen=True)
class Result:
    """A latent, its seed, and the name of the file that it came from."""

    latent: Array
    seed: int
    origin: str = ""


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Generate, or decode what ``--latent_path`` names."""
    print("\n".join(family.import_lines))
    check(args)
    args.device = args.device if args.device is not None else "cpu"
    weights = "torch.float8_e4m3fn" if args.fp8 else "torch.bfloat16"
    MAIN.info(f"Using device: {args.device}, DiT precision: torch.bfloat16, weight precision: {weights}")
    results = read_latents(args.latent_path) if args.latent_path else [generate(args, weights)]
    write(results, args)
    MAIN.info("Done!")


def check(args: argparse.Namespace) -> None:
    """Combinations that upstream refuses at once."""
    assert not args.latent_path or args.output_type in ("images", "video"), (
        "latent_path is only supported for images or video output"
    )
    if args.fp8_fast and not args.fp8:
        raise ValueError("--fp8_fast requires --fp8")
    if args.lycoris and find_spec("lycoris") is None:
        raise ValueError("install lycoris: https://github.com/KohakuBlueleaf/LyCORIS")


def read_latents(paths: list[str]) -> list[Result]:
    """Latents that were saved earlier; all must have one size."""
    results = []
    for path in paths:
        latent = load(path)["latent"].values
        metadata = metadata_of(path) or {}
        MAIN.info(f"Loaded metadata: {metadata}")
        MAIN.info(f"Loaded latent from {path}. Shape: torch.Size({list(latent.shape)})")
        results.append(Result(latent, int(metadata.get("seeds", 0)), f"_{Path(path).stem}"))
    for number, result in enumerate(results):
        if result.latent.shape != results[0].latent.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(results[0].latent.shape)} at entry 0"
                f" and {list(result.latent.shape)} at entry {number}"
            )
    return results


def generate(args: argparse.Namespace, weights: str) -> Result:
    """One latent; with ``--save_merged_model`` and a LoRA the merged DiT is saved instead, and the script ends."""
    height, width = args.video_size
    if height % 8 or width % 8:
        raise ValueError(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
    texts = encode_texts(args)
    shape = (16, (args.video_length - 1) // 4 + 1, height // 8, width // 8)
    source = encode_video(args) if args.video_path is not None else None
    channels = encode_image(args, shape) if args.image_path is not None else None
    denoisers = load_denoisers(args, weights, 16 if channels is None else 32)
    MAIN.info("Loading scheduler")
    seed = args.seed if args.seed is not None else random.randint(0, 2**32 - 1)
    scale = args.guidance_scale
    plan = Plan(args.infer_steps, args.flow_shift, (scale, scale), seed, source, args.strength, top=1.0)
    if source is not None:
        assert shape == source.shape, f"noise shape {shape} != video_latents shape {source.shape}"
        args.infer_steps = int(args.infer_steps * args.strength)
        MAIN.info(
            f"strength: {args.strength}, num_inference_steps: {args.infer_steps},"
            f" timestep_start: {float(np.float32(plan.sigmas[0] * 1000))}"
        )
    check_patches(shape[1:], generating=True)
    need_attention(args.attn_mode)
    if args.split_attn and scale != 1.0 and not args.split_uncond:
        MAIN.warning("split_attn is enabled, split_uncond will be enabled as well.")
    positive, negative = (
        Condition(text, channels, pooled=pooled, guidance=args.embedded_cfg_scale) for text, pooled in texts
    )
    return Result(denoise(denoisers, shape, positive, negative, plan), seed)


def encode_texts(args: argparse.Namespace) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Token vectors and pooled vector of the prompt and of the negative prompt."""
    MAIN.info(f"Encoding prompt: {args.prompt}")
    negative = args.negative_prompt
    if args.guidance_scale != 1.0:
        if negative is None:
            MAIN.info("Negative prompt is not provided, using empty prompt")
            negative = ""
        MAIN.info(f"Encoding negative prompt: {negative}")
    elif negative is not None:
        MAIN.warning("Negative prompt is provided but guidance_scale is 1.0, negative prompt will be ignored.")
    MAIN.info(f"loading text encoder: {args.text_encoder1}")
    llm = TextEncoder(args.text_encoder1, "llm", args.fp8_llm)
    MAIN.info(f"loading text encoder 2: {args.text_encoder2}")
    clip = TextEncoder(args.text_encoder2, "clipL")
    MAIN.info("Encoding prompt with text encoder 1")
    words = [llm.encode(text) for text in (args.prompt, negative or "")]
    MAIN.info("Encoding prompt with text encoder 2")
    pooled = [clip.encode(text)[0] for text in (args.prompt, negative or "")]
    found = [(values[mask != 0], vector) for (values, mask), vector in zip(words, pooled, strict=True)]
    return found[0], found[1]


def need_vae(args: argparse.Namespace) -> ToyVAE:
    """The VAE, which upstream loads anew for everything it encodes or decodes."""
    vae = load_vae(args.vae, args.vae_dtype)
    if args.vae_chunk_size is not None:
        MAIN.info(f"Set chunk_size to {args.vae_chunk_size} for CausalConv3d")
    return vae


def encode_video(args: argparse.Namespace) -> Array:
    """The latent of ``--video_path``."""
    MAIN.info(f"Video2Video inference: {args.video_path}")
    height, width = args.video_size
    frames = read_video(args.video_path, args.video_length, size=(width, height))
    if len(frames) < args.video_length:
        raise ValueError(f"Video length is less than {args.video_length}")
    MAIN.info("Encoding video to latents")
    return need_vae(args).encode(normalized(np.stack(frames[: frames_of(len(frames))])))


def encode_image(args: argparse.Namespace, shape: tuple[int, ...]) -> Array:
    """The further channels of ``--image_path``."""
    MAIN.info(f"Image2Video inference: {args.image_path}")
    height, width = args.video_size
    image = fit(open_image(args.image_path), (width, height))[..., :3]
    MAIN.info("Encoding image to latents")
    channels = np.zeros(shape, np.float32)
    channels[:, :1] = need_vae(args).encode(normalized(image[None]))
    return channels


def load_denoisers(args: argparse.Namespace, weights: str, channels: int) -> Denoisers:
    """The DiT with its LoRAs merged."""
    MAIN.info(f"Loading DiT model from {args.dit}")
    attention = "torch" if args.attn_mode == "sdpa" else args.attn_mode
    dit = load_dit(args.dit, attention, args.split_attn, args.dit_in_channels or channels)
    if args.lora_weight:
        # without --lora_multiplier upstream asks a number for its length
        len(args.lora_multiplier)
        modules = dit.linear_modules()
        merge_loras(dit.weights, modules, args.lora_weight, args.lora_multiplier, args.exclude_single_blocks)
        if args.save_merged_model:
            MAIN.info(f"Saving merged model to {args.save_merged_model}")
            save(args.save_merged_model, {name: Tensor(value, "BF16") for name, value in dit.weights.items()})
            MAIN.info("Merged model saved")
            sys.exit(0)
    MAIN.info(f"Casting model to {weights}")
    if args.fp8_fast:
        MAIN.info("Enabling FP8 acceleration")
    if args.blocks_to_swap:
        MAIN.info(f"Enable swap {args.blocks_to_swap} blocks to CPU from device: {args.device}")
        swap_blocks(args.blocks_to_swap)
    else:
        MAIN.info(f"Moving model to {args.device}")
    if args.img_in_txt_in_offloading:
        MAIN.info("Enable offloading img_in and txt_in to CPU")
    return Denoisers(dit)


def write(results: list[Result], args: argparse.Namespace) -> None:
    """Latents, videos or images, all named by one time."""
    flag = time_flag()
    stems = [f"{flag}_{index}_{result.seed}" for index, result in enumerate(results)]
    if args.output_type in ("latent", "both"):
        for stem, result in zip(stems, results, strict=True):
            height, width = args.video_size
            metadata = latent_metadata(args, result.seed, height, width, LATENT_FIELDS)
            path = write_latent(f"{args.save_path}/{stem}_latent.safetensors", result.latent, args, metadata)
            MAIN.info(f"Latent save to: {path}")
    if args.output_type == "latent":
        return
    vae = need_vae(args)
    for stem, result in zip(stems, results, strict=True):
        made, frames = f"{args.save_path}/{stem}{result.origin}", vae.decode(result.latent)
        if args.output_type == "images":
            write_frames(Path(made), frames)
            MAIN.info(f"Sample images save to: {made}")
        else:
            write_video(Path(f"{made}.mp4"), frames, args.fps)
            MAIN.info(f"Sample save to: {made}.mp4")
