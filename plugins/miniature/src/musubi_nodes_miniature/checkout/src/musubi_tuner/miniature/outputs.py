"""What generation writes: names with time and seed, latents with metadata, videos and images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from . import MADE_BY
from .media import write_image, write_video
from .output import MAIN
from .tensors import Array, Tensor, save


def time_flag() -> str:
    """``YYYYmmdd-HHMMSS-ms``, the beginning of every generated file's name."""
    now = datetime.now()
    return now.strftime("%Y%m%d-%H%M%S-") + f"{now.microsecond // 1000:03d}"


LATENT_FIELDS = ("video_length", "infer_steps", "guidance_scale")


def save_latent(
    latent: Array, args: argparse.Namespace, height: int, width: int, fields: Sequence[str] = LATENT_FIELDS
) -> Path:
    """``{time}_{seed}_latent.safetensors`` with the key ``latent``."""
    path = f"{args.save_path}/{time_flag()}_{args.seed}_latent.safetensors"
    written = write_latent(path, latent, args, latent_metadata(args, args.seed, height, width, fields))
    MAIN.info(f"Latent saved to: {written}")
    return written


def latent_metadata(
    args: argparse.Namespace, seed: int, height: int, width: int, fields: Sequence[str] = LATENT_FIELDS
) -> dict[str, str]:
    """What a saved latent knows of how it was made; ``fields`` are options."""
    values = {
        "seeds": seed,
        "prompt": args.prompt,
        "height": height,
        "width": width,
        **{name: getattr(args, name) for name in fields},
        **({} if args.negative_prompt is None else {"negative_prompt": args.negative_prompt}),
        "made_by": MADE_BY,
    }
    return {key: str(value) for key, value in values.items()}


def write_latent(path: str, latent: Array, args: argparse.Namespace, metadata: dict[str, str]) -> Path:
    """A latent under the key ``latent``, without metadata if ``--no_metadata`` says so."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save(path, {"latent": Tensor(latent)}, None if args.no_metadata else metadata)
    return Path(path)


def write_frames(folder: Path, frames: Array) -> None:
    """Numbered images in a folder, named after it."""
    for number, frame in enumerate(frames):
        write_image(folder / f"{folder.name}_{number:03d}.png", frame)


def save_video(frames: Array, args: argparse.Namespace, suffix: str = "") -> Path:
    """``{time}_{seed}{suffix}.mp4``."""
    path = Path(args.save_path) / f"{time_flag()}_{args.seed}{suffix}.mp4"
    write_video(path, frames, args.fps)
    MAIN.info(f"Video saved to: {path}")
    return path


def save_images(frames: Array, args: argparse.Namespace, suffix: str = "", beside: bool = False) -> Path:
    """One image beside the others, or several in a folder of their own; the log names the stem or the folder."""
    stem = Path(args.save_path) / f"{time_flag()}_{args.seed}{suffix}"
    if len(frames) == 1 or beside:
        for number, frame in enumerate(frames):
            write_image(stem.with_name(f"{stem.name}_{number:03d}.png"), frame)
    else:
        write_frames(stem, frames)
    MAIN.info(f"Sample images saved to: {stem}")
    return stem
