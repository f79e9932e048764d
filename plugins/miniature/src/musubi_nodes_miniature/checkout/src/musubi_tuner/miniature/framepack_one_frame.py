"""One-frame inference of FramePack: one image from control images (fpack_generate_video.py, v0.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .framepack_sections import Clean
from .output import MAIN
from .tensors import Array

Mask = tuple[Image.Image, str]
"""What darkens a control latent, and how the log calls it."""


def one_frame_latents(
    modes: set[str], controls: Sequence[Array], window: int, size: tuple[int, int], masks: dict[int, Mask]
) -> Clean:
    """The clean latents for the modes of ``--one_frame_inference``, with upstream's lines about them."""
    blank = np.zeros((16, 1, *size), np.float32)
    found = list(controls)
    if not found:
        MAIN.info("No control images provided for one frame inference. Use zero latents for control images.")
        found = [blank]
    if "no_post" not in modes:
        found.append(blank)
        MAIN.info("Add zero latents as clean latents post for one frame inference.")
    clean = np.concatenate(found, axis=1)
    indices = [0] * len(found)
    if "no_post" not in modes:
        indices[-1] = 1 + window
    for place, (mask, name) in masks.items():
        small = mask.convert("L").resize((size[1], size[0]), Image.Resampling.LANCZOS)
        MAIN.info(f"Apply mask for clean latents 1x for {place + 1}{name}torch.Size({[1, 1, 1, *size]})")
        clean[:, place] *= np.asarray(small, np.float32) / 255
    target = _told_indices(modes, indices, window)
    levels: list[Array | None] = []
    for level, frames in (("2x", 2), ("4x", 16)):
        if f"no_{level}" in modes:
            MAIN.info(f"No clean_latents_{level}")
            levels.append(None)
        else:
            levels.append(np.zeros((16, frames, *size), np.float32))
    MAIN.info(
        f"One frame inference. clean_latent: torch.Size({[1, *clean.shape]}) latent_indices: tensor([[{target}]]),"
        f" clean_latent_indices: tensor([{indices}]), num_frames: 1"
    )
    return clean, *levels


def _told_indices(modes: set[str], indices: list[int], window: int) -> int:
    target = window
    for mode in modes:
        name, _, value = mode.partition("=")
        if name == "target_index":
            target = int(value)
            MAIN.info(f"Set index for target: {target}")
        elif name == "control_index":
            given = value.split(";")
            indices[: len(given)] = [int(text) for text in given[: len(indices)]]
            MAIN.info(f"Set index for clean latent 1x: {given}")
    return target


def modes_of(text: str) -> set[str]:
    """``no_2x, target_index=1`` as a set."""
    return {mode.strip() for mode in text.split(",")}
