"""Frames and size taken from a video."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.ffmpeg import evenly
from musubi_nodes.media.probe import VideoFacts, exact_rate

# filters of ffmpeg
RESIZE: Mapping[str, str] = {
    "stretch": "scale={w}:{h}",
    "crop": "scale={w}:{h}:force_original_aspect_ratio=increase,crop={w}:{h}",
    "pad": "scale={w}:{h}:force_original_aspect_ratio=decrease,pad={w}:{h}:-1:-1",
}

_EARLY = 0.001  # seconds; Matroska rounds times to milliseconds

_NEAR = 0.1  # frames, for the same reason

_REORDERED = 16  # frames stored in another order (H.264's most)


@dataclass(frozen=True)
class ClipSpec:
    """A part of a video; 0 means as in the file.

    ``start`` is in seconds, ``length`` in frames of the result; of the frames at ``fps``,
    every ``every``-th is taken.
    """

    start: float = 0.0
    length: int = 0
    every: int = 1
    fps: float = 0.0
    width: int = 0
    height: int = 0
    resize: str = "stretch"

    def picks(self) -> bool:
        return bool(self.start or self.length or self.every > 1 or self.fps)

    def whole(self, facts: VideoFacts) -> bool:
        """Whether the result is the unchanged file."""
        return not self.picks() and self.size(facts) == facts.upright

    def size(self, facts: VideoFacts) -> tuple[int, int]:
        wide, high = facts.upright
        width = self.width or (round(wide * self.height / high) if self.height else wide)
        height = self.height or (round(high * self.width / wide) if self.width else high)
        return max(width, 1), max(height, 1)

    def rate(self, facts: VideoFacts) -> Fraction:
        """Return the resulting frame rate, which keeps the speed."""
        return self._target(facts) / self.every

    def _target(self, facts: VideoFacts) -> Fraction:
        return exact_rate(self.fps) if self.fps else facts.rate

    def most(self, facts: VideoFacts) -> int:
        """Return the most frames that can come out, at most two too many."""
        left = facts.frames - (math.ceil(self.start * float(facts.rate) - 2 * _NEAR) if self.start else 0)
        if facts.uneven:
            left = facts.frames if self.start <= max(facts.end, facts.duration) else 0
        if left <= 0:
            raise MusubiError(
                "video-start-behind-end",
                f"start {self.start:g} s is after the end of the video, which lasts {facts.duration:.2f} s",
                fix="Choose an earlier start.",
            )
        if self.fps:
            seconds = max(left / facts.rate, Fraction(facts.end - self.start))
            left = math.ceil(seconds * self._target(facts)) + 2
        left = -(-left // self.every)
        return min(left, self.length) if self.length else left

    def opening(self, facts: VideoFacts) -> list[str]:
        """Return options before ``-i``, to seek."""
        skipped = self._skipped(facts)
        return ["-ss", f"{facts.begin + skipped:.6f}"] if skipped else []

    def _skipped(self, facts: VideoFacts) -> float:
        return max(self.start - _EARLY - float(_REORDERED / facts.rate), 0) if facts.indexed else 0

    def filters(self, facts: VideoFacts) -> list[str]:
        """List filters; frames come out evenly at :meth:`rate`."""
        found = ["settb=AVTB", *self._begun(facts), "setpts=PTS-STARTPTS"] if self.picks() else []
        target = self._target(facts)
        if self.fps:
            found += [_dropped(facts, target) if target < facts.rate else f"fps={target}"]
        if self.every > 1:
            found += [rf"select=not(mod(n\,{self.every}))"]
        if self.picks():
            found += evenly(self.rate(facts))
        width, height = self.size(facts)
        if (width, height) != facts.upright:
            found += [RESIZE[self.resize].format(w=width, h=height), "setsar=1"]
        return found

    def _begun(self, facts: VideoFacts) -> list[str]:
        skipped = self._skipped(facts)
        if not skipped and not facts.uneven:
            first = math.ceil(self.start * facts.rate - Fraction(_NEAR))
            return [f"trim=start_frame={first}"] if first > 0 else []
        trim = [f"trim=start={self.start - _EARLY - skipped:.6f}"] if self.start > _EARLY else []
        return trim if skipped else ["setpts=PTS-STARTPTS", *trim]


def _dropped(facts: VideoFacts, fps: Fraction) -> str:
    """Select frames as musubi-tuner does for ``source_fps``.

    It keeps frame n if int(n * fps / source_fps) grows (dataset/media_utils.py, v0.3.4).
    Uneven frames count by time.
    """
    source, early = float(facts.rate), float(fps) * _EARLY if facts.ticks else 0
    place = "{t}" if facts.ticks else f"if(lt(abs({{t}}-round({{t}})),{_NEAR}),round({{t}}),{{t}})"
    index = "floor((" + place + f")*{float(fps / facts.rate):.9f}+{1e-6 + early:.6f})"
    now, before = (index.format(t=f"({name}*{source:.9f})") for name in ("t", "prev_selected_t"))
    return f"select=if(isnan(prev_selected_t),1,gt({now},{before}))".replace(",", r"\,")
