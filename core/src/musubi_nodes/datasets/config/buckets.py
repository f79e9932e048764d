"""Bucket sizes of images and videos (dataset/bucket.py, v0.3.4)."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

Size = tuple[int, int]
SIZE_STEP = 16  # the VAE's 8 times the DiT's patch of 2 (HiDream O1: 32)


@lru_cache(maxsize=256)
def bucket_sizes(resolution: Size, step: int = SIZE_STEP) -> tuple[Size, ...]:
    """List all sizes near the area of ``resolution``."""
    area = resolution[0] * resolution[1]
    side = int(sqrt(area))
    sizes: set[Size] = set()
    for width in range(_down(side // 2, step), side + step, step):
        height = _down(area // width, step)
        sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


def bucket_of(size: Size, resolution: Size, *, enable: bool, no_upscale: bool = False, step: int = SIZE_STEP) -> Size:
    if not enable:
        return resolution
    if no_upscale and size[0] * size[1] <= resolution[0] * resolution[1]:
        return _down(size[0], step), _down(size[1], step)
    return _nearest(size[0] / size[1], resolution, step)


@lru_cache(maxsize=4096)
def _nearest(aspect: float, resolution: Size, step: int) -> Size:
    return min(bucket_sizes(resolution, step), key=lambda bucket: abs(bucket[0] / bucket[1] - aspect))


def _down(number: int, step: int) -> int:
    return number - number % step
