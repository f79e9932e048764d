"""Encodes frames or files with ffmpeg."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.media import metadata
from musubi_nodes.media.audio import Audio, read_audio, write_raw
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.ffmpeg import Ffmpeg, Watch, progressed, readable, unwatched
from musubi_nodes.media.formats import Format, check_rate, encoder_options
from musubi_nodes.media.probe import VideoFacts, probe

if TYPE_CHECKING:
    import numpy as np

# for browsers, in the same pass
PREVIEW = ["-vf", "{filters}scale=trunc(min(640\\,iw)/2)*2:-2", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "28",
           "-pix_fmt", "yuv420p", "-movflags", "+faststart"]  # fmt: skip


@dataclass(frozen=True)
class Source:
    """``pictures`` [height, width, channels], uint8 or float, or a ``path``."""

    width: int
    height: int
    rate: Fraction
    frames: int
    pictures: Iterator[np.ndarray[Any, Any]] | None = None
    path: Path | None = None
    cut: ClipSpec = field(default_factory=ClipSpec)
    facts: VideoFacts | None = None

    @property
    def seconds(self) -> float:
        return float(self.frames / self.rate)


@dataclass(frozen=True)
class EncodeRequest:
    """What to write; ``quality`` is 0..100.

    ``upright`` rotates pictures that players would rotate.
    """

    form: Format
    quality: int = 75
    audio: Audio | None = None
    workflow: Mapping[str, Any] = field(default_factory=dict)
    preview: bool = False
    upright: bool = False


def file_source(path: Path, cut: ClipSpec | None = None) -> Source:
    cut, facts = cut or ClipSpec(), probe(path)
    width, height = cut.size(facts)
    return Source(width, height, cut.rate(facts), cut.most(facts), path=path, cut=cut, facts=facts)


def encode(source: Source, wish: EncodeRequest, folder: Path, watch: Watch = unwatched) -> list[Path]:
    """Write into the empty ``folder``; return the file or pictures.

    The caller removes what a failure leaves.
    """
    if not source.frames:
        raise MusubiError(
            "frames-missing",
            "there are no frames to write",
            fix="Check the node that makes the images: the batch is empty.",
        )
    check_rate(wish.form, float(source.rate))
    if wish.audio is None and wish.form.audio and source.cut.picks() and source.path:
        wish = replace(wish, audio=read_audio(source.path, source.cut.start, source.seconds))
    target = f"frame_{wish.form.suffix}" if wish.form.pictures else f"video{wish.form.suffix}"
    command = [*_inputs(source, wish, folder), *_output(source, wish), target, *_preview(source, wish)]
    pipe = subprocess.PIPE if source.pictures is not None else subprocess.DEVNULL
    with Ffmpeg(["-progress", "pipe:1", *command], folder=folder, stdin=pipe,
                stdout=subprocess.PIPE if source.pictures is None else subprocess.DEVNULL) as run:  # fmt: skip
        done = 0
        for done in _fed(run, source):
            watch(done, source.frames)
        code = run.wait(lambda: watch(done, source.frames))
    made = sorted(folder.glob("frame_*" if wish.form.pictures else target))
    if code or not made or not made[0].stat().st_size:
        raise MusubiError(
            "video-not-written",
            f"ffmpeg could not write {wish.form.name}" + (f" (it was ended by signal {-code})" if code < 0 else ""),
            why=run.said(),
            fix="Check the free space of the output folder, or choose another format.",
        )
    _mark(wish, made)
    return made


def _inputs(source: Source, wish: EncodeRequest, folder: Path) -> list[str]:
    """Input 0 is the picture, then sound, then metadata."""
    if source.path is not None:
        opening = source.cut.opening(source.facts) if source.facts else []
        options = [*opening, *readable(source.path)]
    else:
        size = f"{source.width}x{source.height}"
        options = [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-video_size",
            size,
            "-framerate",
            str(source.rate),
            "-i",
            "pipe:0",
        ]
    if wish.audio and wish.form.audio:
        options += write_raw(wish.audio, folder / "audio.raw", source.seconds)
    if wish.workflow and wish.form.metadata == "container":
        options += metadata.write_container(wish.workflow, folder / "metadata.txt")
    return options


def _output(source: Source, wish: EncodeRequest) -> list[str]:
    form = wish.form
    options = ["-map", "0:V:0", *_sound(source, wish)]
    if wish.workflow and form.metadata == "container":
        options += ["-map_metadata", "2" if wish.audio and form.audio else "1"]
    turned = bool(wish.upright and source.facts and source.facts.rotation)
    if is_copied(source, form) and not turned:
        return [*options, "-c:v", "copy", *form.output]
    filters = ",".join(_filters(source, form, wish.quality))
    evenly = ["-r", str(source.rate)] if source.path is None or source.cut.picks() else []
    limit = ["-frames:v", str(source.frames)] if source.cut.length else []
    video = [form.filled(option, wish.quality) for option in encoder_options(form)]
    if form.matrix:
        video += ["-colorspace", form.matrix, "-color_range", "tv", "-color_primaries", "bt709", "-color_trc", "bt709"]
    return [*options, *(["-vf", filters] if filters else []), *evenly, *limit, *video, *form.output]


def _sound(source: Source, wish: EncodeRequest) -> list[str]:
    form = wish.form
    if not form.audio:
        return ["-an"]
    if wish.audio:
        return ["-map", "1:a:0", *form.audio]
    if not source.facts or not source.facts.audio or source.cut.picks():
        return ["-an"]
    return ["-map", "0:a:0", *(["-c:a", "copy"] if source.facts.audio in form.copies_audio else form.audio)]


def is_copied(source: Source, form: Format) -> bool:
    """Whether the file already has the format."""
    facts = source.facts
    return facts is not None and source.cut.whole(facts) and f"{facts.codec} {facts.pixels}" in form.copies


def padding(source: Source, form: Format) -> tuple[int, int]:
    """Return columns and rows to repeat for even sizes."""
    return (source.width % 2, source.height % 2) if form.even else (0, 0)


def _filters(source: Source, form: Format, quality: int) -> Iterator[str]:
    if source.facts:
        yield from source.cut.filters(source.facts)
    right, below = padding(source, form)
    if right or below:
        yield f"pad=iw+{right}:ih+{below},fillborders=right={right}:bottom={below}:mode=smear"
    if form.matrix:
        yield f"scale=out_color_matrix={form.matrix}:out_range=tv"
    if form.filter:
        yield form.filled(form.filter, quality)


def _preview(source: Source, wish: EncodeRequest) -> list[str]:
    if not wish.preview or wish.form.preview != "copy":
        return []
    filters = "".join(f"{one}," for one in source.cut.filters(source.facts)) if source.facts else ""
    return ["-map", "0:V:0", *[option.replace("{filters}", filters) for option in PREVIEW], "preview.mp4"]


def _fed(run: Ffmpeg, source: Source) -> Iterator[int]:
    if source.pictures is None:
        yield from progressed(run)
        return
    assert run.process.stdin
    for number, picture in enumerate(source.pictures, 1):
        data = _bytes(source, picture)
        try:
            run.process.stdin.write(data)
        except OSError:
            break  # ffmpeg ended early; its exit code and errors say why
        yield number
    with contextlib.suppress(OSError):
        run.process.stdin.close()


def _bytes(source: Source, picture: np.ndarray[Any, Any]) -> memoryview:
    """Round to rgb24, so that 8-bit values survive."""
    import numpy as np

    if picture.shape[:2] != (source.height, source.width):
        raise sizes_differ((source.height, source.width), picture.shape)
    rgb = np.broadcast_to(picture, (*picture.shape[:2], 3)) if picture.shape[2] == 1 else picture[..., :3]
    if rgb.dtype != np.uint8:
        scaled = np.multiply(rgb, np.float32(255), dtype=np.float32)
        np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled)
        with np.errstate(invalid="ignore"):  # NaN becomes black
            rgb = scaled.astype(np.uint8)
    return np.ascontiguousarray(rgb).data.cast("B")


def sizes_differ(one: Sequence[int], other: Sequence[int]) -> MusubiError:
    return MusubiError(
        "image-sizes-differ",
        f"the pictures have different sizes: {one[1]}x{one[0]} and {other[1]}x{other[0]}",
        fix="Scale them to one size first.",
    )


def _mark(wish: EncodeRequest, made: Sequence[Path]) -> None:
    """Write the workflow if ffmpeg cannot."""
    write = {"text": metadata.write_text, "exif": metadata.write_exif}.get(wish.form.metadata)
    if write and wish.workflow:
        for path in made:
            write(wish.workflow, path)
