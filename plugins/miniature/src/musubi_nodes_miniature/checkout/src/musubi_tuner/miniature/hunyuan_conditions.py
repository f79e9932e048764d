"""What a HunyuanVideo DiT sees besides the noisy latent."""

from __future__ import annotations

import numpy as np

from .tensors import Array

IMAGE_CHANNELS = 32
"""``--dit_in_channels`` of an image-to-video model (SkyReels)."""


def first_frame(latent: Array) -> Array:
    """The further channels of image-to-video: the first latent frame, and zeros behind it."""
    still = np.zeros_like(latent)
    still[:, 0] = latent[:, 0]
    return still


def check_patches(shape: tuple[int, ...], generating: bool = False) -> None:
    """Latent frames, height and width must be whole patches."""
    told = str(list(shape)) if generating else f"torch.Size({list(shape)})"
    assert not shape[1] % 2 and not shape[2] % 2, (
        f"Latent size(last 3 dimensions) should be divisible by patch size([1, 2, 2]), but got {told}."
    )
