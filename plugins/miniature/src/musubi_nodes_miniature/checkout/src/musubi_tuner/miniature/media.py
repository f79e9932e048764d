"""Images and videos in and out: Pillow and the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, PngImagePlugin

from . import MADE_BY
from .buckets import BucketSelector, Size
from .errors import InvalidDataError
from .tensors import Array

IMAGE_EXTENSIONS = tuple(
    ext for name in ("png", "jpg", "jpeg", "webp", "bmp", "avif") for ext in (f".{name}", f".{name.upper()}")
)
VIDEO_EXTENSIONS = tuple(
    ext
    for name in ("mp4", "webm", "avi", "mkv", "mov", "flv", "wmv", "m4v", "mpg", "mpeg")
    for ext in (f".{name}", f".{name.upper()}")
)


def find_files(folder: str, extensions: Sequence[str]) -> list[str]:
    """The files with one of ``extensions`` in ``folder``, sorted; a missing folder has none, as upstream's glob."""
    return sorted({str(path) for ext in extensions for path in Path(folder).glob(f"*{ext}")})


def find_images(folder: str, caption_extension: str | None = None) -> list[str]:
    """The images of a folder; with ``caption_extension`` only those that have a caption file."""
    paths = find_files(folder, IMAGE_EXTENSIONS)
    if caption_extension is None:
        return paths
    captions = {Path(path).stem for path in find_files(folder, [caption_extension])}
    return [path for path in paths if Path(path).stem in captions]


def open_image(path: str) -> Image.Image:
    """An RGB or RGBA image; Pillow's own exception where it is none."""
    image = Image.open(path)
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


def fit(image: Image.Image, size: Size) -> Array:
    """The image scaled to cover ``size`` and cropped in the middle: uint8, height x width x channels."""
    width, height = size
    scale = max(width / image.width, height / image.height)
    scaled = (int(image.width * scale + 0.5), int(image.height * scale + 0.5))
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.LANCZOS if scale > 1 else Image.Resampling.BOX)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    return np.asarray(image)[top : top + height, left : left + width]


def _decoded(path: str, limit: int | None) -> Iterator[Image.Image]:
    try:
        reader = imageio_ffmpeg.read_frames(path, output_params=["-frames:v", str(limit)] if limit else [])
        size = next(reader)["size"]
        for frame in reader:
            yield Image.frombytes("RGB", size, frame)
    except (OSError, RuntimeError, StopIteration, IndexError) as error:
        raise InvalidDataError(path) from error


def _frames(path: str, limit: int | None) -> Iterator[Image.Image]:
    if Path(path).is_file():
        yield from _decoded(path, limit)
    else:
        yield from (Image.open(image).convert("RGB") for image in find_images(path))


def _kept(frames: Iterator[Image.Image], source_fps: float | None, fps: float) -> Iterator[Image.Image]:
    """Drops frames so that ``source_fps`` becomes ``fps``; without ``source_fps`` all frames stay."""
    previous, position = -1, 0.0
    for frame in frames:
        index = int(position)
        position += fps / source_fps if source_fps else 1.0
        if index != previous:
            previous = index
            yield frame


def read_video(
    path: str,
    end: int | None = None,
    *,
    selector: BucketSelector | None = None,
    size: Size | None = None,
    source_fps: float | None = None,
    fps: float = 16.0,
) -> list[Array]:
    """At most ``end`` frames of a video file or a folder of images, brought to ``size`` or to the bucket."""
    frames: list[Array] = []
    limit = end and (int(end * source_fps / fps) + 2 if source_fps else end)
    for frame in _kept(_frames(path, limit), source_fps, fps):
        if end is not None and len(frames) >= end:
            break
        if size is None and selector is not None:
            size = selector.size_for(frame.size)
        frames.append(fit(frame, size) if size else np.asarray(frame))
    return frames


def write_video(path: Path, frames: Array, fps: int) -> None:
    """H.264 in mp4 from uint8 frames (frames, height, width, 3); the comment says who made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames.shape[1:3]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        macro_block_size=1,
        quality=None,
        bitrate="4M",
        output_params=["-preset", "ultrafast", "-metadata", f"comment={MADE_BY}"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def write_image(path: Path, frame: Array) -> None:
    """A PNG from uint8 values (height, width, 3); its text chunk says who made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", MADE_BY)
    Image.fromarray(frame).save(path, pnginfo=text)
