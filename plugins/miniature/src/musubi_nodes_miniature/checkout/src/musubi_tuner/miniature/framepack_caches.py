"""The tensors of FramePack's latent caches (fpack_cache_latents.py, v0.3.4)."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from .dataset import Item, frames_of
from .encoders import ToyVAE, ToyVision, normalized
from .framepack_sections import HISTORY, Clean, Course, blank_history, clean_latents
from .output import MAIN
from .tensors import Array, Tensor


def section_paths(item: Item) -> list[str]:
    """One cache per section of a video: ``..-{section:04d}_..``; images have one without number."""
    if item.frame_count is None:
        return [item.latent_cache]
    count = max(1, (item.frame_count - 1) // 4 // item.window)
    *name, size, end = Path(item.latent_cache).name.split("_")
    return [str(Path(item.latent_cache).with_name(f"{'_'.join(name)}-{i:04d}_{size}_{end}")) for i in range(count)]


def section_tensors(item: Item, vae: ToyVAE, vision: ToyVision, f1: bool) -> list[dict[str, Tensor]]:
    """The tensors of every section of a video, in the order of time."""
    if item.frame_count is None:
        raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'int'")
    item.need_pixels()
    window, have = item.window, (item.frame_count - 1) // 4 + 1
    count = (have - 1) // window
    if count < 1:
        raise ValueError(
            f"Not enough frames for FramePack: {item.frame_count} frames ({have} latent frames), minimum required:"
            f" {window * 4 + 1} frames ({window + 1} latent frames)"
        )
    needed = count * window * 4 + 1
    if needed != item.frame_count:
        MAIN.info(f"Frame count mismatch: required={needed} != actual={item.frame_count}, trimming to {needed}")
    latent = vae.encode(normalized(item.frames[: frames_of(needed)]))
    image = vision.encode(item.frames[0])
    make = _forward if f1 else _backward
    return make(latent, Course(count, window, f1), image)


def _backward(latent: Array, course: Course, image: Array) -> list[dict[str, Tensor]]:
    """As plain FramePack generates: the last section first, so that the future is known."""
    history = blank_history(*latent.shape[2:])
    found = {}
    for turn, padding in enumerate(course.latent_paddings()):
        section = course.count - 1 - turn
        begin = section * course.window + 1
        target = latent[:, begin : begin + course.window]
        parts = np.cumsum([1, padding * course.window, course.window, *HISTORY])
        pre, _, own, post, twice, fourth = np.split(np.arange(parts[-1]), parts[:-1])
        indices = (own, np.concatenate([pre, post]), twice, fourth)
        found[section] = _named(target, clean_latents(latent[:, :1], history, False), indices, image)
        history = np.concatenate([latent[:, : course.window + 1] if section == 0 else target, history], axis=1)
    return [found[section] for section in range(course.count)]


def _forward(latent: Array, course: Course, image: Array) -> list[dict[str, Tensor]]:
    """As FramePack F1 generates: each section sees what lies before it."""
    found = []
    for section in range(course.count):
        begin = section * course.window + 1
        before = np.concatenate([blank_history(*latent.shape[2:]), latent[:, :begin]], axis=1)
        parts = np.cumsum([1, *HISTORY[::-1], course.window])
        start, fourth, twice, near, own = np.split(np.arange(parts[-1]), parts[:-1])
        indices = (own, np.concatenate([start, near]), twice, fourth)
        clean = clean_latents(latent[:, :1], before, True)
        found.append(_named(latent[:, begin : begin + course.window], clean, indices, image))
    return found


def _named(target: Array, clean: Clean, indices: tuple[Array | None, ...], image: Array) -> dict[str, Tensor]:
    _, frames, height, width = target.shape
    size = f"{frames}x{height}x{width}_float16"
    found = {f"latents_{size}": Tensor(target, "F16"), "image_embeddings_float16": Tensor(image, "F16")}
    for level, latent in zip(("", "2x_", "4x_"), clean, strict=True):
        if latent is not None:
            found[f"latents_clean_{level}{size}"] = Tensor(latent, "F16")
    names = ("latent_indices", "clean_latent_indices", "clean_latent_2x_indices", "clean_latent_4x_indices")
    for name, values in zip(names, indices, strict=True):
        if values is not None:
            found[f"{name}_int64"] = Tensor(np.asarray(values, np.int64), "I64")
    return found


def one_frame_tensors(item: Item, vae: ToyVAE, vision: ToyVision, args: argparse.Namespace) -> list[dict[str, Tensor]]:
    """Control images as clean latents and the image as the only frame to learn."""
    if not item.controls:
        raise TypeError("unsupported operand type(s) for +: 'NoneType' and 'list'")
    clean = np.concatenate([vae.encode(normalized(control[None])) for control in item.controls], axis=1)
    target = vae.encode(normalized(item.frames[:1]))
    image = vision.encode(item.controls[0])
    known = list(item.control_indices)
    if not known:
        MAIN.warning(
            f"Item {item.path} has no clean_latent_indices defined, using default indices for one frame training."
        )
        known = [0]
    behind = 1 + item.window
    if not item.no_post:
        known.append(behind)
        clean = np.pad(clean, ((0, 0), (0, 1), (0, 0), (0, 0)))
    twice = None if args.one_frame_no_2x else np.arange(behind + 1, behind + 3)
    fourth = None if args.one_frame_no_4x else np.arange(behind + 3, behind + 19)
    _tell(item, clean, target, image, (known, twice, fourth))
    # zeros of half and quarter size are not kept, only their indices
    return [_named(target, (clean, None, None), (np.array([item.target_index]), np.array(known), twice, fourth), image)]


def _tell(
    item: Item, clean: Array, target: Array, image: Array, indices: tuple[list[int], Array | None, Array | None]
) -> None:
    known, twice, fourth = (None if values is None else f"tensor({list(map(int, values))})" for values in indices)
    print(f"Saving cache for item {item.path} at {item.latent_cache}. no_post: {item.no_post}")
    print(f"  Clean latent indices: {known}, latent index: tensor([{item.target_index}])")
    print(f"  Clean latents: torch.Size({list(clean.shape)}), target latents: torch.Size({list(target.shape)})")
    print(f"  Clean latents 2x indices: {twice}, clean latents 4x indices: {fourth}")
    print("  Clean latents 2x: None, Clean latents 4x: None")
    print(f"  Image embeddings: torch.Size({list(image.shape)})")
