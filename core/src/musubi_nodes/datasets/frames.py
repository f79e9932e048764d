"""Which numbers of frames a video model takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameRule:
    """Clips have ``n * step + offset`` frames; with a ``window`` (FramePack) n is a multiple of it, and at least it.

    musubi-tuner rounds down silently, and FramePack refuses less than one window (dataset/image_video_dataset.py,
    fpack_cache_latents.py, v0.3.4). A model of pictures has ``longest`` 1.
    """

    step: int = 4
    offset: int = 1
    window: int | None = None
    longest: int | None = None

    @property
    def pictures_only(self) -> bool:
        return self.longest == 1

    @property
    def stride(self) -> int:
        return self.step * (self.window or 1)

    @property
    def shortest(self) -> int:
        return self.offset if self.window is None else self.stride + self.offset

    def round_down(self, frames: int) -> int:
        """The longest fitting length that is not above ``frames``; 0 if there is none."""
        if frames < self.shortest:
            return 0
        frames = min(frames, self.longest or frames)
        return (frames - self.offset) // self.stride * self.stride + self.offset

    def fits(self, frames: int) -> bool:
        """Whether a clip of so many frames is used as it is."""
        return frames > 0 and frames == self.round_down(frames)

    def explain(self) -> str:
        """For people, e.g. ``N*4+1 frames (1, 5, 9, 13, ...)``."""
        if self.pictures_only:
            return "1 frame, a picture"
        lengths = ", ".join(str(self.shortest + n * self.stride) for n in range(4))
        return f"N*{self.stride}+{self.offset} frames ({lengths}, ...)"


PICTURES = FrameRule(longest=1)
"""The rule of a model that makes pictures only."""
