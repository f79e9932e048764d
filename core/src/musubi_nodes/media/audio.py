"""Sound as numpy arrays, read and written by ffmpeg."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.budget import spend
from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate
from musubi_nodes.media.ffmpeg import Ffmpeg, readable
from musubi_nodes.media.probe import probe

if TYPE_CHECKING:
    import numpy as np

_TOGETHER = ("mpegts", "mpeg")  # ffmpeg counts time from the first stream read, so read pictures too

_PIECE = 1 << 20
MOST = 1 << 30  # bytes: 47 minutes of stereo at 48 kHz


@dataclass(frozen=True)
class Audio:
    """``samples``: float32 [channels, samples], -1..1; ``rate`` per second."""

    samples: np.ndarray[Any, Any]
    rate: int

    @property
    def seconds(self) -> float:
        return float(self.samples.shape[1] / self.rate)


def read_audio(path: Path, start: float = 0.0, seconds: float | None = None) -> Audio | None:
    """Read the first sound stream; ``None`` if there is none.

    ``start`` counts from the first picture; silence fills the beginning. Decodes from the
    file's start: seeking is exact to a packet only.
    """
    import numpy as np

    facts = probe(path)
    part = f",atrim=start={facts.begin + start:.6f}" + (f":duration={seconds:.6f}" if seconds else "")
    command = [*readable(path), "-map", "0:a:0?", "-af", f"aresample=async=1:first_pts=0{part},asetpts=PTS-STARTPTS"]
    beside = ["-map", "0:V:0", "-c", "copy", "-f", "null", "-"] if facts.container in _TOGETHER else []
    with Ffmpeg([*command, "-c:a", "pcm_f32le", "-f", "wav", "pipe:1", *beside], stdout=subprocess.PIPE) as run:
        data = bytearray()
        while piece := run.process.stdout.read(_PIECE) if run.process.stdout else b"":
            spend()
            data += piece
            if len(data) > MOST:
                raise MusubiError(
                    "audio-too-long",
                    f"the sound of {path} is too long",
                    why=translate("Its samples take more than {size} MB.", size=MOST // 1_000_000),
                    fix="Take a part of the file: set start and length.",
                )
        if run.wait() and data:
            raise MusubiError(
                "audio-unreadable", f"the sound of {path} cannot be decoded", why=run.said(), fix="Convert the file."
            )
    if not data:
        return None
    channels, rate, place = _wav_header(data)
    samples = np.frombuffer(data, np.float32, (len(data) - place) // (4 * channels) * channels, place)
    return Audio(samples.reshape(-1, channels).T.copy(), rate) if samples.size else None


def _wav_header(data: bytes | bytearray) -> tuple[int, int, int]:
    """Return channels, rate and offset of the samples."""
    place, channels, rate = 12, 1, 1
    while data[place : place + 4] != b"data":
        size = struct.unpack_from("<I", data, place + 4)[0]
        if data[place : place + 4] == b"fmt ":
            channels, rate = struct.unpack_from("<HI", data, place + 10)
        place += 8 + size + size % 2
    return channels, rate, place + 8


def write_raw(audio: Audio, path: Path, seconds: float) -> list[str]:
    """Write raw samples; return ffmpeg's options to read them."""
    import numpy as np

    kept = audio.samples[:, : round(seconds * audio.rate)]
    np.ascontiguousarray(kept.T, np.float32).tofile(path)
    return ["-f", "f32le", "-ar", str(audio.rate), "-ac", str(len(kept)), "-i", path.name]
