"""The size that an image or clip is brought to, as upstream's dataset/bucket.py chooses it (v0.3.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Size = tuple[int, int]
"""Width and height in pixels."""

STEP = 16
"""Sizes are multiples of this for HunyuanVideo, FramePack and Wan."""


def floor_to(value: int, step: int) -> int:
    """The largest multiple of ``step`` that is not above ``value``."""
    return value - value % step


@dataclass(frozen=True)
class BucketSelector:
    """Chooses among the sizes of about the area of ``resolution`` the one with the nearest aspect ratio."""

    resolution: Size
    enable_bucket: bool = True
    no_upscale: bool = False
    sizes: list[Size] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", self._all_sizes())

    def _all_sizes(self) -> list[Size]:
        if not self.enable_bucket:
            return [self.resolution]
        area = self.resolution[0] * self.resolution[1]
        side = int(math.sqrt(area))
        found: set[Size] = set()
        for width in range(floor_to(side // 2, STEP), side + STEP, STEP):
            height = floor_to(area // width, STEP)
            found |= {(width, height), (height, width)}
        return sorted(found)

    def size_for(self, original: Size) -> Size:
        """The bucket of a file of the size ``original``."""
        width, height = original
        if self.enable_bucket and self.no_upscale and width * height <= self.resolution[0] * self.resolution[1]:
            return floor_to(width, STEP), floor_to(height, STEP)
        return min(self.sizes, key=lambda size: abs(size[0] / size[1] - width / height))
