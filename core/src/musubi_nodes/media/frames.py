"""Frames as arrays (float32, [frames, height, width, 3], 0..1) or files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes import sharing
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import PICTURE, read_bytes
from musubi_nodes.media.audio import Audio, read_audio
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.decode import check_memory, count, decode
from musubi_nodes.media.encode import EncodeRequest, Source, encode, file_source, sizes_differ
from musubi_nodes.media.ffmpeg import Watch, unwatched
from musubi_nodes.media.formats import formats
from musubi_nodes.media.pictures import opened_picture
from musubi_nodes.media.probe import exact_rate, probe

if TYPE_CHECKING:
    import numpy as np


_PAGE_BYTES = 3 + 12  # per pixel of an animation, as read plus float32
PLAIN: Mapping[str, frozenset[str]] = {
    "mov": frozenset({"h264", "hevc", "av1"}),
    "matroska": frozenset({"vp9", "av1", "ffv1"}),
}
"""Codecs that PyAV reads and ComfyUI's Save Video copies, by container.

v0.3.64 fails for GIF, WebP, VP8 and ProRes, and loses H.264 out of .mkv.
"""


@dataclass(frozen=True)
class VideoFile:
    """A video on disk, or the part that ``cut`` takes."""

    path: Path
    cut: ClipSpec = ClipSpec()

    def frames(self, watch: Watch = unwatched) -> np.ndarray[Any, Any]:
        return decode(self.path, self.cut, watch)

    def count(self, watch: Watch = unwatched) -> int:
        return count(self.path, self.cut, watch)

    def audio(self, frames: int) -> Audio | None:
        """Return the sound of ``frames`` frames."""
        facts = probe(self.path)
        if not facts.audio:
            return None
        seconds = float(frames / self.cut.rate(facts)) if self.cut.picks() else None
        return read_audio(self.path, self.cut.start, seconds)


@dataclass(frozen=True)
class ImageFiles:
    """Images of one size."""

    paths: tuple[Path, ...]

    def frames(self) -> np.ndarray[Any, Any]:
        import numpy as np

        first = next(self.pictures())
        frames = np.empty((len(self.paths), *first.shape), np.float32)
        for number, picture in enumerate(self.pictures()):
            if picture.shape != first.shape:
                raise sizes_differ(first.shape, picture.shape)
            np.divide(picture, np.float32(255), out=frames[number])
        return frames

    def pictures(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield uint8 [height, width, 3]."""
        return map(_picture, self.paths)


def _picture(path: Path) -> np.ndarray[Any, Any]:
    return next(_pages(path))


def _pages(path: Path) -> Iterator[np.ndarray[Any, Any]]:
    """Yield RGB pages rotated by EXIF, as ComfyUI's Load Image (v0.3.64)."""
    import numpy as np
    from PIL import ImageOps, ImageSequence

    with opened_picture(path) as picture:
        check_memory(path, getattr(picture, "n_frames", 1) * picture.width * picture.height * _PAGE_BYTES)
        for page in ImageSequence.Iterator(picture):
            upright = ImageOps.exif_transpose(page)
            bits32 = upright.mode == "I"
            yield np.asarray((upright.point(lambda value: value * (1 / 255)) if bits32 else upright).convert("RGB"))


def loaded(path: Path) -> ImageFiles | np.ndarray[Any, Any]:
    """Return a picture, or an animation's frames of the first one's size."""
    import numpy as np

    pages = list(_pages(path))
    alike = [page for page in pages if page.shape == pages[0].shape]
    return np.stack(alike).astype(np.float32) / np.float32(255) if len(alike) > 1 else ImageFiles((path,))


Frames = Any
"""Array, :class:`VideoFile` or :class:`ImageFiles`; numpy isn't imported."""


def as_array(frames: Frames) -> np.ndarray[Any, Any]:
    import numpy as np

    array = frames.frames() if hasattr(frames, "frames") else np.asarray(frames, np.float32)
    return array[None] if array.ndim == 3 else array


def source_of(frames: Frames, fps: float) -> Source:
    if isinstance(frames, VideoFile):
        return file_source(frames.path, frames.cut)
    rate = exact_rate(fps)
    if isinstance(frames, ImageFiles):
        height, width = next(frames.pictures()).shape[:2]
        return Source(width, height, rate, len(frames.paths), pictures=frames.pictures())
    array = as_array(frames)
    return Source(array.shape[2], array.shape[1], rate, len(array), pictures=iter(array))


def count_pictures(frames: Frames) -> int:
    return len(frames.paths) if isinstance(frames, ImageFiles) else len(as_array(frames))


def save_png(frames: Frames, path: Path, index: int = 0) -> Path:
    """Save one frame, with its alpha channel."""
    import numpy as np
    from PIL import Image

    if isinstance(frames, ImageFiles):
        picture = _picture(frames.paths[index])
        if frames.paths[index].suffix.lower() == ".png" and not _is_turned(frames.paths[index]):
            path.write_bytes(read_bytes(frames.paths[index], PICTURE))
            return path
    else:
        if isinstance(frames, VideoFile) and index == 0:
            frames = replace(frames, cut=replace(frames.cut, length=1))
        picture = np.clip(np.rint(as_array(frames)[index] * 255.0), 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return path


def _is_turned(path: Path) -> bool:
    from PIL import ExifTags

    with opened_picture(path) as picture:
        return picture.getexif().get(ExifTags.Base.Orientation, 1) != 1


def save_pngs(frames: Frames, folder: Path, name: str) -> list[Path]:
    frames = frames if isinstance(frames, ImageFiles) else as_array(frames)
    return [save_png(frames, folder / f"{name}-{number}.png", number) for number in range(count_pictures(frames))]


def save_video(frames: Frames, path: Path, fps: float, audio: Audio | None = None) -> Path:
    """Save a visually lossless .mp4, unless the file is readable as is."""
    if isinstance(frames, VideoFile) and _is_plain(frames):
        return frames.path
    source = source_of(frames, fps)
    form = formats()["mp4-lossless" if source.width % 2 or source.height % 2 else "mp4-h264"]
    with sharing.scratch_folder(path.parent, ".video-") as folder:
        made = encode(source, EncodeRequest(form, quality=100, audio=audio, upright=True), folder)
        sharing.replace(made[0], path)
    return path


def _is_plain(video: VideoFile) -> bool:
    facts = probe(video.path)
    return video.cut.whole(facts) and not facts.rotation and facts.codec in PLAIN.get(facts.container, ())


def check_video(path: Path) -> None:
    facts = probe(path)
    if not facts.frames:
        raise MusubiError("frames-missing", f"the video {path} has no frames", fix="Queue the node again.")
