"""What a Wan DiT sees besides the noisy latent: the channels of image and control models."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from .encoders import ToyVAE
from .tensors import Array


def image_channels(vae: ToyVAE, pixels: Array, end: Array | None = None) -> Array:
    """Mask and latent of the first frame (and the last): 20 further channels for image-to-video."""
    still = np.zeros_like(pixels)
    still[0] = pixels[0]
    if end is not None:
        still[-1] = end
    latent = vae.encode(still)
    mask = np.zeros((4, *latent.shape[1:]), np.float32)
    mask[:, 0] = 1
    if end is not None:
        mask[:, -1] = 1
    return np.concatenate([mask, latent])


def with_control(control: Array, image: Array | None) -> Array:
    first = np.zeros_like(control)
    if image is not None:
        first[:, 0] = image[4:, 0]
    return np.concatenate([control, first])


def need_flash_attention() -> None:
    """Upstream finds out at the first attention that the library is missing."""
    if find_spec("flash_attn") is None:
        raise NameError("name 'flash_attn' is not defined")


def check_patches(height: int, width: int) -> None:
    """Sizes that are no multiple of 16 fail inside attention upstream."""
    if height % 16 or width % 16:
        cells, patches = (height // 8) * (width // 8) // 4, (height // 16) * (width // 16)
        raise AssertionError(
            "k_lens is not supported except for flash attention 3 or sage attention."
            f" k_lens=tensor([{patches}]), lk={cells}."
        )
