"""Sound as a small numpy-based value, read and written by ffmpeg."""

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

_TOGETHER = ("mpegts", "mpeg")
"""Containers in which ffmpeg counts time from the first of the streams that are read, so the picture is read too."""

_PIECE = 1 << 20
MOST = 1 << 30
"""Bytes of samples: 47 minutes of stereo at 48 kHz. A small file can hold hours of silence in eight channels."""


@dataclass(frozen=True)
class Audio:
    """``samples``: float32 [channels, samples], -1..1; ``rate``: samples a second."""

    samples: np.ndarray[Any, Any]
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return float(self.samples.shape[1] / self.rate)


def read_audio(path: Path, start: float = 0.0, seconds: float | None = None) -> Audio | None:
    """The first sound stream from ``start`` on, in seconds from the first picture, at its own rate and with its own
    channels; ``None`` where none is left.

    StallDetector stands where sound begins later than the picture, so that both stay together. It is decoded from the
    beginning of the file: seeking is exact to a packet only.
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
    """Channels, rate, and where the samples begin."""
    place, channels, rate = 12, 1, 1
    while data[place : place + 4] != b"data":
        size = struct.unpack_from("<I", data, place + 4)[0]
        if data[place : place + 4] == b"fmt ":
            channels, rate = struct.unpack_from("<HI", data, place + 10)
        place += 8 + size + size % 2
    return channels, rate, place + 8


def write_raw(audio: Audio, path: Path, seconds: float) -> list[str]:
    """Write at most ``seconds`` as raw samples; returns ffmpeg's options that read them."""
    import numpy as np

    kept = audio.samples[:, : round(seconds * audio.rate)]
    np.ascontiguousarray(kept.T, np.float32).tofile(path)
    return ["-f", "f32le", "-ar", str(audio.rate), "-ac", str(len(kept)), "-i", path.name]
