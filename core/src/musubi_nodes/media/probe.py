"""What a video file says about itself, read by ffmpeg without decoding a frame."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.ffmpeg import asked, readable

_SECONDS = 300
_NEAR_FRAMES = 3
_NTSC = [Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60, 120)]


@dataclass(frozen=True)
class VideoFacts:
    """Size in pixels as stored (a rotation flag is not applied), frames per second, frames, seconds.

    ``rotation`` in degrees, as the file asks players to turn the picture; ``codec`` and ``pixels`` as ffmpeg names
    them; ``audio`` the codec of the first sound stream, empty where there is none. ``end``: the
    second at which the last frame is, by the file's own times.
    """

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    rotation: int = 0
    codec: str = ""
    pixels: str = ""
    audio: str = ""
    end: float = field(default=0.0, compare=False)

    @property
    def rate(self) -> Fraction:
        """Frames per second without the rounding of ffmpeg's header (29.97 is 30000/1001); 25 where nobody knows."""
        near = (rate for rate in _NTSC if abs(rate - Fraction(self.fps)) < Fraction(6, 1000))
        return next(near, Fraction(self.fps or 25).limit_denominator(1000))

    @property
    def uneven(self) -> bool:
        """Whether the times of the frames are not those of :attr:`rate`."""
        return abs(self.end - self.frames / self.rate) * self.rate > _NEAR_FRAMES

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as players show them."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)


def probe(path: Path) -> VideoFacts:
    """Facts of the first video stream. Frames are counted packets, so they are exact where the header only estimates.

    Raises :class:`MusubiError` for a file that is missing, empty, or no video. Answers are kept while size and time of
    the file stay the same.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise MusubiError(f"the video {path} cannot be read", why=str(error), fix="Check the path.") from error
    if found.st_size == 0:
        raise MusubiError(f"the video {path} is empty (0 bytes)", fix="Copy or download it again.")
    return _probe(path.absolute(), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=16384)
def _probe(path: Path, size: int, mtime_ns: int) -> VideoFacts:
    header, progress = _ask(path)
    stream = re.search(r"Stream #0:\d+.*?: Video: (?P<codec>\w+)(?!.*\(attached pic\)).*", header)
    sound = re.search(r"Stream #0:\d+.*?: Audio: (\w+)", header)
    shape = re.search(r"[ ,](\d{1,5})x(\d{1,5})[ ,\[]", stream[0] + " ") if stream else None
    counts = re.findall(r"^frame=\s*(\d+)", progress, re.MULTILINE)
    frames = int(counts[-1]) if counts else 0
    if not stream or not shape or not frames:
        why = "It holds sound, but no pictures." if sound and not stream else _reason(header)
        raise MusubiError(f"{path} is no video that ffmpeg can read", why=why, fix="Convert it to .mp4.")
    rate = re.search(r"([\d.]+)(k?) (?:fps|tbr)", stream[0])
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else 0.0
    times = re.findall(r"^out_time_us=(\d+)", progress, re.MULTILINE)
    turned = re.search(r"rotation of (-?\d+)", header)
    pixels = re.search(r"Video: [^,]*(?:\([^)]*\)[^,]*)*, (\w+)", stream[0])
    return VideoFacts(
        int(shape[1]), int(shape[2]), fps, frames, frames / fps if fps else _duration(header),
        rotation=int(turned[1]) if turned else 0, codec=stream["codec"], pixels=pixels[1] if pixels else "",
        audio=sound[1] if sound else "", end=int(times[-1]) / 1e6 if times else 0.0,
    )  # fmt: skip


def _ask(path: Path) -> tuple[str, str]:
    options = ["-nostats", "-progress", "pipe:1", *readable(path), "-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    try:
        done = asked(options, _SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise MusubiError(f"ffmpeg could not look at {path}", why=str(error)) from error
    return done.stderr.decode("utf-8", "replace"), done.stdout.decode("utf-8", "replace")


def _duration(header: str) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", header)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


def _reason(header: str) -> str:
    lines = [line.strip() for line in header.splitlines() if line.strip()]
    told = (line for line in reversed(lines) if "Conversion failed" not in line and not line.startswith("frame="))
    return next(told, "")[-300:]
