"""Output formats, from formats.toml."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate
from musubi_nodes.media.ffmpeg import encoders
from musubi_nodes.parsing import parse_toml


@dataclass(frozen=True)
class Format:
    """One format; formats.toml describes the keys."""

    name: str
    suffix: str
    video: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    filter: str = ""
    matrix: str = ""
    quality: tuple[int, int] | None = None
    audio: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    even: bool = False
    max_fps: float | None = None
    clock: int | None = None
    copies: tuple[str, ...] = ()
    copies_audio: tuple[str, ...] = ()
    metadata: str = ""
    preview: str = "copy"

    @property
    def pictures(self) -> bool:
        return "%" in self.suffix

    def filled(self, text: str, quality: int) -> str:
        """Fill in the encoder's value for a quality of 0..100."""
        worst, best = self.quality or (0, 0)
        return text.replace("{quality}", str(round(worst + (best - worst) * quality / 100)))


@cache
def formats() -> Mapping[str, Format]:
    tables = parse_toml(Path(__file__).with_name("formats.toml").read_text("utf-8"))
    return {name: Format(name=name, **_frozen(table)) for name, table in tables.items()}


def _frozen(table: Mapping[str, object]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def encoder_options(form: Format) -> tuple[str, ...]:
    """Return options of the first available encoder."""
    usable = [options for options in (form.video, form.otherwise) if encoder_of(options) in encoders()]
    if not usable:
        missing = " or ".join(encoder_of(options) for options in (form.video, form.otherwise) if options)
        raise MusubiError(
            "encoder-missing",
            f"this ffmpeg cannot write {form.name}: it has no {missing}",
            fix="Choose another format, or install imageio-ffmpeg 0.8 or newer.",
        )
    return usable[0]


def encoder_of(options: Sequence[str]) -> str:
    return options[options.index("-c:v") + 1] if options else ""


def unequal(form: Format, rate: Fraction) -> str:
    """Describe uneven durations in the container's clock, or ""."""
    if form.clock is None or not form.clock % rate:
        return ""
    ticks = math.floor(form.clock / rate)
    sentence = "{fps:g} fps on average: frames last {ticks} or {more} of {clock} parts of a second"
    return translate(sentence, fps=float(rate), ticks=ticks, more=ticks + 1, clock=form.clock)


def check_rate(form: Format, fps: float) -> None:
    if form.max_fps is not None and fps > form.max_fps:
        raise MusubiError(
            "fps-too-high",
            f"{form.name} shows at most {form.max_fps:g} frames a second, not {fps:g}",
            fix="Lower fps, take every second frame, or choose another format.",
        )
