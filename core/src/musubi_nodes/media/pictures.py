"""Thumbnails as musubi-tuner sees media: no alpha, no rotation."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import PICTURE, open_file
from musubi_nodes.media.ffmpeg import asked, readable
from musubi_nodes.media.probe import probe

if TYPE_CHECKING:
    from PIL import Image

_SECONDS = 60
# Pillow's names; an EPS would start Ghostscript
KINDS = frozenset(
    ["PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JXL", "JPEG2000", "PPM", "TGA", "ICO"]
)


def image_picture(path: Path, side: int) -> Any:
    """Return a PIL image of at most ``side`` pixels."""
    with opened_picture(path) as image:
        image.draft("RGB", (side, side))  # a JPEG is decoded at about the wanted size
        small = image.convert("RGB")
        small.thumbnail((side, side))
        return small


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture; MusubiError whatever Pillow raises."""
    from PIL import Image

    try:
        file = open_file(path, PICTURE)
    except (OSError, ValueError) as error:
        raise _no_picture(path, error) from error
    with file:
        try:
            with Image.open(file) as picture:
                if picture.format not in KINDS:
                    raise ValueError(f"its format, {picture.format}, is not accepted as a picture")
                yield picture
        except MusubiError:
            raise
        except Exception as error:  # Pillow's plugins raise anything, from SyntaxError to struct.error
            raise _no_picture(path, error) from error


def _no_picture(path: Path, error: Exception) -> MusubiError:
    fix = "Replace the file, or choose another one."
    return MusubiError("image-unreadable", f"{path} cannot be read as a picture", why=str(error)[:200], fix=fix)


def video_pictures(path: Path, side: int) -> list[Any]:
    """Return PIL images of first, middle and last frame."""
    facts = probe(path)
    rate = facts.fps or 1.0
    frames = [_frame(path, max(0.0, (number - 0.5) / rate), side) for number in first_middle_last(facts.frames)]
    if not any(frames):
        raise MusubiError("video-unreadable", f"no frame of {path} can be decoded", fix="Convert it to .mp4.")
    return [frame for frame in frames if frame]


def first_middle_last(count: int) -> Sequence[int]:
    return sorted({0, count // 2, count - 1}) if count else ()


def _frame(path: Path, seconds: float, side: int) -> Any:
    from PIL import Image

    command = ["-loglevel", "error", "-noautorotate", "-ss", f"{seconds:.6f}", *readable(path), "-map", "0:V:0"]
    command += ["-frames:v", "1", "-vf", f"scale={side}:{side}:force_original_aspect_ratio=decrease"]
    command += ["-f", "image2pipe", "-c:v", "png", "pipe:1"]
    try:
        done = asked(command, _SECONDS)
        return Image.open(io.BytesIO(done.stdout)).convert("RGB") if done.stdout else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
