"""Numbers of frames that a video model takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameRule:
    """Lengths ``n * step + offset``; n is a multiple of ``window``.

    musubi-tuner rounds down; FramePack refuses less than one window
    (dataset/image_video_dataset.py, fpack_cache_latents.py, v0.3.4).
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
        """Return the longest length up to ``frames``, or 0."""
        if frames < self.shortest:
            return 0
        frames = min(frames, self.longest or frames)
        return (frames - self.offset) // self.stride * self.stride + self.offset

    def fits(self, frames: int) -> bool:
        return frames > 0 and frames == self.round_down(frames)

    def explain(self) -> str:
        """Format as ``N*4+1 frames (1, 5, 9, 13, ...)``."""
        if self.pictures_only:
            return "1 frame, a picture"
        lengths = ", ".join(str(self.shortest + n * self.stride) for n in range(4))
        return f"N*{self.stride}+{self.offset} frames ({lengths}, ...)"


PICTURES = FrameRule(longest=1)
