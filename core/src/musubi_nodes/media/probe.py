"""Facts of a video file, from ffmpeg."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG

from musubi_nodes.budget import spend
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import FileStamp, unreadable
from musubi_nodes.media.ffmpeg import Ffmpeg, ended_after, evenly, lines, progressed, readable
from musubi_nodes.media.packets import MUXER, Packets, read_packets

_SECONDS = 300
FASTER = 16  # bytes ffmpeg reads while one is parsed here
_STREAM = r"(?m)^Stream #0:\d+.*?"  # start of a stream's line; texts of the file follow a name
_NEAR_FRAMES = 3
_ROUNDED = 0.02  # the header has two digits of a rate, or none
_NTSC = [Fraction(whole * 1000, 1001) for whole in (12, 15, 24, 30, 48, 60, 120)]
_INDEXED = ("mov", "matroska")  # exact seeking; other containers guess
_GUESSED = ("gif", "webp_anim")  # each picture has its duration; the header's rate is a guess
_HDR = "arib-std-b67|smpte2084"  # HLG and PQ
_STATED = ("matroska",)  # rates as the writer stated them, or clocks, not means


def exact_rate(fps: float) -> Fraction:
    """Undo rounding: 29.97 is 30000/1001."""
    near = (rate for rate in _NTSC if abs(rate - Fraction(fps)) < Fraction(6, 1000))
    return next(near, Fraction(fps).limit_denominator(1001))


@dataclass(frozen=True)
class VideoFacts:
    """Stored size, frames per second, frames and seconds.

    ``rotation`` in degrees, as players turn it; ``pixel_aspect`` width by height;
    ``audio`` is a codec or ""; ``begin`` and ``end`` in the file's seconds; ``ticks``
    per second if times don't follow ``fps``.
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
    pixel_aspect: float = 1.0
    hdr: bool = False
    interlaced: bool = False
    container: str = field(default="", compare=False)
    begin: float = field(default=0.0, compare=False)
    end: float = field(default=0.0, compare=False)
    ticks: float = field(default=0.0, compare=False)

    @property
    def rate(self) -> Fraction:
        """The exact rate, 25 if unknown."""
        return exact_rate(self.fps or 25)

    @property
    def indexed(self) -> bool:
        return self.container in _INDEXED

    @property
    def uneven(self) -> bool:
        """Whether times may differ from :attr:`rate`."""
        apart = abs(self.end - self.frames / self.rate) * self.rate > _NEAR_FRAMES
        return apart or bool(self.ticks) or self.container in _GUESSED

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as players show them."""
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)


def probe(path: Path) -> VideoFacts:
    """Return facts, with frames counted, cached by the file's stamp."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise MusubiError(
            unreadable(error), f"the video {path} cannot be read", why=str(error), fix="Check the path."
        ) from error
    if not S_ISREG(found.st_mode):
        raise MusubiError("file-not-regular", f"the video {path} is not a regular file", fix="Choose another file.")
    if found.st_size == 0:
        raise MusubiError("file-empty", f"the video {path} is empty (0 bytes)", fix="Copy or download it again.")
    spend(found.st_size // FASTER)
    return _probe(path.absolute(), FileStamp.of(found))


@lru_cache(maxsize=16384)
def _probe(path: Path, stamp: FileStamp) -> VideoFacts:
    header, packets, said = _ask(path)
    container = header.partition("Input #0, ")[2].partition(",")[0]
    stream = re.search(rf"{_STREAM}: Video: (?P<codec>\w+)(?!.*\(attached pic\)).*", header)
    sound = re.search(rf"{_STREAM}: Audio: (\w+)", header)
    shape = re.search(r"[ ,](\d{1,5})x(\d{1,5})[ ,\[]", stream[0] + " ") if stream else None
    frames = packets.frames if packets.certain else _decoded(path)
    if sound and not stream:
        raise MusubiError(
            "video-without-pictures",
            f"{path} is not a video that ffmpeg can read",
            why="It holds sound, but no pictures.",
            fix="Choose another file.",
        )
    if not stream or not shape or not frames:
        fix = (
            "Convert it to .mp4, or install imageio-ffmpeg 0.8 or newer, which reads animated WebP."
            if container == "webp_pipe"
            else "Convert it to .mp4."
        )
        raise MusubiError("video-unreadable", f"{path} is not a video that ffmpeg can read", why=said, fix=fix)
    ticks = _number(r"([\d.]+)(k?) tbr", stream[0])
    fps = _number(r"([\d.]+)(k?) fps", stream[0]) or ticks
    turned = re.search(r"^(?:displaymatrix|Display Matrix): rotation of (-?\d+)", header, re.MULTILINE)
    pixels = re.search(r"Video: (?:[^,(]|\([^)]*\))*, (\w+)(?:\(([^)]*)\))?", stream[0])
    aspect = re.search(r"SAR (\d+):(\d+)", stream[0])
    start = _number(r"(?m)^Duration: [^,]*, start: (-?[\d.]+)()", header)
    end = packets.end - start
    apart = abs(end * fps - frames) > _NEAR_FRAMES
    guessed = container in _GUESSED or 2 * packets.timed < packets.frames  # ffmpeg fills in missing times
    if packets.end and (container in _GUESSED or (apart and container in _STATED)):
        fps = round(frames / end, 2)
    return VideoFacts(
        int(shape[1]), int(shape[2]), fps, frames, frames / fps if fps else _duration(header),
        rotation=int(turned[1]) if turned else 0, codec=stream["codec"], pixels=pixels[1] if pixels else "",
        pixel_aspect=int(aspect[1]) / int(aspect[2]) if aspect and int(aspect[1]) and int(aspect[2]) else 1.0,
        hdr=bool(pixels and re.search(_HDR, pixels[2] or "")),
        interlaced=bool(pixels and re.search("first", pixels[2] or "")),
        audio=sound[1] if sound else "", container=container, begin=max(packets.begin - start, 0), end=end,
        ticks=0 if guessed or abs(ticks - fps) < _ROUNDED else ticks,
    )  # fmt: skip


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) * (1000 if found[2] else 1) if found else 0.0


def _ask(path: Path) -> tuple[str, Packets, str]:
    options = ["-copyts", *readable(path), "-map", "0:V:0", "-c", "copy", "-f", MUXER, "pipe:1"]
    with Ffmpeg(options, level="info", stdout=subprocess.PIPE) as run, ended_after(_SECONDS, run):
        packets = read_packets(lines(run))
        run.wait()
        return run.header(), packets, run.said()


def _decoded(path: Path) -> int:
    options = [*readable(path), "-map", "0:V:0", "-vf", ",".join(evenly(Fraction(25))), "-r", "25", "-f", "null", "-"]
    with Ffmpeg(["-progress", "pipe:1", *options], stdout=subprocess.PIPE) as run, ended_after(_SECONDS, run):
        *_, frames = 0, *progressed(run)
        return frames


def _duration(header: str) -> float:
    found = re.search(r"(?m)^Duration: (\d+):(\d+):([\d.]+)", header)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
