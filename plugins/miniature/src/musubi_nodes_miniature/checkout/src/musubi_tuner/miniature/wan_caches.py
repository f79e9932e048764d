"""The tensors of Wan's latent caches (wan_cache_latents.py, v0.3.4)."""

from __future__ import annotations

import numpy as np

from .dataset import Item
from .encoders import ToyVAE, ToyVision, normalized
from .output import MAIN
from .tensors import Array, Tensor
from .wan_conditions import image_channels


def latent_tensors(item: Item, vae: ToyVAE, clip: ToyVision | None, i2v: bool) -> dict[str, Tensor]:
    item.need_pixels()
    pixels = normalized(item.frames)
    found = {"latents": vae.encode(pixels)}
    if i2v:
        found["latents_image"] = image_channels(vae, pixels)
    if item.controls:
        control = item.controls[0]
        found["latents_control"] = vae.encode(normalized(control if control.ndim == 4 else control[None]))
    tensors = _named(found)
    if clip is not None:
        tensors["clip_bfloat16"] = Tensor(clip.encode(item.frames[0]), "F16")
    return tensors


def _named(latents: dict[str, Array]) -> dict[str, Tensor]:
    _, frames, height, width = latents["latents"].shape
    return {f"{name}_{frames}x{height}x{width}_bfloat16": Tensor(value, "BF16") for name, value in latents.items()}


def one_frame_tensors(item: Item, vae: ToyVAE, clip: ToyVision) -> dict[str, Tensor]:
    """Control images and the target as frames in the order of their indices (wan_cache_latents.py)."""
    assert item.controls, "One frame training requires at least 1 control frame and 1 target frame"
    if len(item.controls) > 2:
        message = f"One frame training requires 1 or 2 control images, but found {len(item.controls)} in {item.path}."
        MAIN.error(message)
        raise ValueError(message)
    target = vae.encode(normalized(item.frames))
    controls = iter([vae.encode(normalized(control[None])) for control in item.controls])
    indices = sorted([*item.control_indices, item.target_index])
    latents, images = [], []
    for index in indices:
        is_target = index == item.target_index
        latent = target if is_target else next(controls)
        seen = vae.encode(np.zeros_like(item.frames, np.float32)) if is_target else latent
        mask = np.full((4, *latent.shape[1:]), 0.0 if is_target else 1.0, np.float32)
        latents.append(latent)
        images.append(np.concatenate([mask, seen]))
    tensors = _named({"latents": np.concatenate(latents, 1), "latents_image": np.concatenate(images, 1)})
    tensors["clip_bfloat16"] = Tensor(np.stack([clip.encode(control) for control in item.controls]), "F16")
    tensors["f_indices_int32"] = Tensor(np.array(indices, np.int32), "I32")
    return tensors
