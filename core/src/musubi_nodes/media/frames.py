"""Frames as numpy arrays (float32, [frames, height, width, 3], 0..1), or as files that are only decoded when asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.probe import probe

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class VideoFile:
    """A video on disk."""

    path: Path

    def frames(self) -> np.ndarray[Any, Any]:
        """All frames, decoded once into one array."""
        import numpy as np

        pictures = list(self._decoded())
        if not pictures:
            raise MusubiError(f"the video {self.path} has no frames", fix="Make or download it again.")
        return np.stack(pictures).astype(np.float32) / 255.0

    def _decoded(self) -> Iterator[np.ndarray[Any, Any]]:
        import imageio_ffmpeg
        import numpy as np

        reader = imageio_ffmpeg.read_frames(str(self.path), pix_fmt="rgb24")
        width, height = next(reader)["size"]
        for raw in reader:
            yield np.frombuffer(raw, np.uint8).reshape(height, width, 3)


@dataclass(frozen=True)
class ImageFiles:
    """Images of one size on disk, in order."""

    paths: tuple[Path, ...]

    def frames(self) -> np.ndarray[Any, Any]:
        """All images in one array."""
        import numpy as np

        return np.stack([_picture(path) for path in self.paths]).astype(np.float32) / 255.0


def _picture(path: Path) -> np.ndarray[Any, Any]:
    """One file's pixels in RGB; a :class:`MusubiError` where it is no picture, or only a part of one."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise MusubiError(
            f"{path} cannot be read as a picture", why=str(error), fix="Replace the file, or choose another one."
        ) from error


Frames = Any
"""A numpy array as above, a :class:`VideoFile` or :class:`ImageFiles`; duck-typed so that numpy stays unimported."""


def as_array(frames: Frames) -> np.ndarray[Any, Any]:
    """The frames as one array; one picture [height, width, 3] becomes a batch of one."""
    import numpy as np

    array = frames.frames() if hasattr(frames, "frames") else np.asarray(frames, np.float32)
    return array[None] if array.ndim == 3 else array


def save_png(frames: Frames, path: Path, index: int = 0) -> Path:
    """One frame as PNG; an alpha channel is kept."""
    import numpy as np
    from PIL import Image

    if isinstance(frames, ImageFiles) and frames.paths[index].suffix.lower() == ".png":
        _picture(frames.paths[index])
        path.write_bytes(frames.paths[index].read_bytes())
        return path
    picture = np.clip(np.rint(as_array(frames)[index] * 255.0), 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return path


def save_pngs(frames: Frames, folder: Path, name: str) -> list[Path]:
    """Every frame as a PNG of its own: ``<name>-0.png``, ``<name>-1.png`` ..."""
    count = len(frames.paths) if isinstance(frames, ImageFiles) else len(as_array(frames))
    return [save_png(frames, folder / f"{name}-{number}.png", number) for number in range(count)]


def save_video(frames: Frames, path: Path, fps: float) -> Path:
    """Frames as a visually lossless H.264 file that musubi-tuner can read; a :class:`VideoFile` is used as it is."""
    if isinstance(frames, VideoFile):
        return frames.path
    import imageio_ffmpeg
    import numpy as np

    array = as_array(frames)
    height, width = array.shape[1:3]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=fps, codec="libx264", macro_block_size=1, quality=None,
        pix_fmt_out="yuv444p" if height % 2 or width % 2 else "yuv420p", output_params=["-crf", "4"],
    )  # fmt: skip
    writer.send(None)
    try:
        for picture in array[..., :3]:
            writer.send(np.ascontiguousarray(np.clip(np.rint(picture * 255.0), 0, 255).astype(np.uint8)))
    except OSError as error:
        raise MusubiError(f"the video {path} cannot be written: {error}", fix="Check the free space.") from error
    finally:
        writer.close()
    return path


def check_video(path: Path) -> None:
    """Raise a MusubiError where ``path`` is not a video that can be played."""
    facts = probe(path)
    if not facts.frames:
        raise MusubiError(f"the video {path} has no frames", fix="Queue the node again.")
