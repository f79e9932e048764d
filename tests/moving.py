"""Pictures for the tests of videos: ones that compress like real ones, and ones that say their number."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from musubi_nodes.media.audio import Audio
from musubi_nodes.media.encode import EncodeRequest, encode
from musubi_nodes.media.ffmpeg import executable
from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import source_of

Array = np.ndarray[Any, Any]


def moving(frames: int = 12, width: int = 96, height: int = 64) -> Array:
    """Soft shapes that move: float32 [frames, height, width, 3], whole numbers of 1/255."""
    y, x = np.mgrid[0:height, 0:width] / 16.0
    pictures = [
        np.stack([np.sin(x + n / 9), np.cos(y - n / 7), np.sin(x / 2 + y / 3 + n / 5)], -1) for n in range(frames)
    ]
    return np.rint((np.stack(pictures) * 0.5 + 0.5) * 255).astype(np.float32) / np.float32(255)


def numbered(frames: int, width: int = 16, height: int = 16) -> Array:
    """Frame ``n`` has the value ``n`` of 255 everywhere."""
    return np.broadcast_to(
        (np.arange(frames, dtype=np.float32) / np.float32(255))[:, None, None, None], (frames, height, width, 3)
    )


def numbers(frames: Array) -> list[int]:
    """Which of the numbered frames these are."""
    return [round(float(value) * 255) for value in frames[:, 0, 0, 0]]


H264 = ["-c:v", "libx264", "-crf", "4", "-g", "20", "-pix_fmt", "yuv420p"]
"""With B-frames, which are stored in another order than shown."""
OTHERS = {
    ".gif": ["-c:v", "gif"],
    ".webp": ["-c:v", "libwebp", "-lossless", "1"],
    ".webm": ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "4", "-g", "20"],
}
"""What an ending needs that does not take H.264."""
HEARD = ["-f", "lavfi", "-i", "aevalsrc='if(gt(t,1),sin(6000*t),0)':d=5"]
"""Five seconds of sound, silent until second 1."""


def barred(path: Path, *options: Any, frames: int = 75, sound: bool = False) -> Path:
    """A video at 25 frames a second that says its numbers however it is encoded: the left ``n`` columns of frame ``n``
    are white. ``sound`` is :data:`HEARD`."""
    raw = path.with_suffix(".gray")
    (np.broadcast_to(np.arange(96) < np.arange(frames)[:, None, None], (frames, 32, 96)) * np.uint8(255)).tofile(raw)
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "96x32", "-r", 25, "-i", raw]
    ffmpeg(*source, *(HEARD if sound else []), *(options or OTHERS.get(path.suffix, H264)), path)
    return path


def bars(frames: Array) -> list[int]:
    """The numbers of :func:`barred` frames."""
    return [int(count) for count in (frames[:, 16, :, 1] > 0.5).sum(1)]


def tone(seconds: float = 3.0, rate: int = 44100) -> Audio:
    """Two channels of different pitch."""
    t = np.arange(round(seconds * rate)) / rate
    return Audio(np.stack([np.sin(t * 2000), np.sin(t * 3000)]).astype(np.float32) * np.float32(0.4), rate)


def written(
    folder: Path, frames: Any, form: str = "mkv-ffv1", *, fps: float = 24, quality: int = 75, audio: Audio | None = None
) -> Path:
    """The first file that encoding makes."""
    folder.mkdir(parents=True, exist_ok=True)
    return encode(source_of(frames, fps), EncodeRequest(formats()[form], quality, audio), folder)[0]


def psnr(one: Array, other: Array) -> float:
    """Peak signal to noise in dB."""
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return 10 * float(np.log10(1 / error)) if error else float("inf")


def ffmpeg(*arguments: Any) -> bytes:
    """Run ffmpeg itself; its standard output."""
    command = [executable(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def turned(source: Path, path: Path) -> Path:
    """A copy that asks players to turn its pictures by a quarter, as phones write it."""
    ffmpeg("-display_rotation:v:0", "90", "-i", source, "-c", "copy", path)
    return path
