"""What generation writes: names with time and seed, latents with metadata, videos and images."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

import numpy as np

from . import MADE_BY
from .media import write_image, write_video
from .output import MAIN
from .tensors import Array, Tensor, save


def time_flag() -> str:
    """``YYYYmmdd-HHMMSS-ms``, the beginning of every generated file's name."""
    now = datetime.now()
    return now.strftime("%Y%m%d-%H%M%S-") + f"{now.microsecond // 1000:03d}"


def save_latent(latent: Array, args: argparse.Namespace, height: int, width: int) -> Path:
    """``{time}_{seed}_latent.safetensors`` with the key ``latent``."""
    folder = Path(args.save_path)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time_flag()}_{args.seed}_latent.safetensors"
    values = {
        "seeds": args.seed,
        "prompt": args.prompt,
        "height": height,
        "width": width,
        "video_length": args.video_length,
        "infer_steps": args.infer_steps,
        "guidance_scale": args.guidance_scale,
        **({} if args.negative_prompt is None else {"negative_prompt": args.negative_prompt}),
        "made_by": MADE_BY,
    }
    metadata = None if args.no_metadata else {key: str(value) for key, value in values.items()}
    save(path, {"latent": Tensor(latent)}, metadata)
    MAIN.info(f"Latent saved to: {path}")
    return path


def save_video(frames: Array, args: argparse.Namespace, suffix: str = "") -> Path:
    """``{time}_{seed}{suffix}.mp4``."""
    path = Path(args.save_path) / f"{time_flag()}_{args.seed}{suffix}.mp4"
    write_video(path, frames, args.fps)
    MAIN.info(f"Video saved to: {path}")
    return path


def save_images(frames: Array, args: argparse.Namespace, suffix: str = "") -> Path:
    """One image beside the others, or several in a folder of their own; the log names the stem or the folder."""
    stem = Path(args.save_path) / f"{time_flag()}_{args.seed}{suffix}"
    for number, frame in enumerate(np.asarray(frames)):
        name = f"{stem.name}_{number:03d}.png"
        write_image(stem.parent / name if len(frames) == 1 else stem / name, frame)
    MAIN.info(f"Sample images saved to: {stem}")
    return stem
