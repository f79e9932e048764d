"""Parses musubi-tuner's progress output (lines of v0.3.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from musubi_nodes.i18n import translate
from musubi_nodes.runs.record.lines import COUNT, STDERR, STDOUT, bar, is_from, message

_TIMES = re.compile(r"^(?P<elapsed>[\d:]{1,12}|\?)(?:<(?P<left>[\d:]{1,12}|\?))?", re.ASCII)
_RATE = re.compile(r"(?P<rate>\d{1,9}(?:\.\d{1,9})?)\s?(?P<unit>s/[a-z]+|[a-z]+/s)", re.ASCII)
_LOSS = re.compile(r"avr_loss=(?P<loss>[-+\w.]{1,40})", re.ASCII)
_EPOCH = re.compile(r"epoch (?P<n>\d{1,9})/(?P<total>\d{1,9})", re.ASCII)
_SAVED = "saving checkpoint: "
_ENCODING = "Encoding dataset ["
# beginnings of lines
_STAGES = (
    (("loading ", "Loading ", "load "), "loading"),
    (("Encoding with ", "encoding with ", _ENCODING), "encoding"),
    (("running training",), "training"),
    (("Decoding video", "Decoding latent"), "decoding"),
    (
        ("model saved.", "Video saved to:", "Sample images save", "Sample save to:"),
        "saving",
    ),
)
_LABELS = (("steps", "training"), ("Loading", "loading"), ("Sampling", "sampling"))


@dataclass(frozen=True)
class Progress:
    """How far a run is, in the stage's units, with musubi-tuner's estimates.

    ``rate`` per second; ``total`` is ``None`` if unknown; ``loss`` is the bar's average;
    ``lr`` needs event files; ``silent``: seconds without output, if many; ``worker``: which of several.
    """

    stage: str = "starting"
    current: int = 0
    total: int | None = None
    rate: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    checkpoint: str | None = None
    message: str = ""
    lr: float | None = None
    silent: float | None = None
    worker: str = ""

    @property
    def fraction(self) -> float | None:
        return min(self.current / self.total, 1.0) if self.total else None

    def text(self) -> str:
        """Format like ``training 120/800 · epoch 3/16 · loss 0.0831 · 5:58 left``."""
        amount = f"{self.current}/{self.total}" if self.total else (str(self.current) if self.current else "")
        parts = [*filter(None, [self.worker]), f"{translate(self.stage)} {amount}".strip()]
        if self.epochs:
            parts.append(translate("epoch {n}/{total}", n=self.epoch, total=self.epochs))
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4g}")
        if self.lr is not None and self.stage == "training":
            parts.append(f"lr {self.lr:.3g}")
        if self.rate:
            parts.append(f"{self.rate:.2f} it/s" if self.rate >= 1 else f"{1 / self.rate:.1f} s/it")
        if self.silent is not None:
            parts.append(translate("no output for {time}", time=clock(self.silent)))
        elif self.seconds_left is not None and self.total and self.current < self.total:
            parts.append(translate("{time} left", time=clock(self.seconds_left)))
        return " · ".join(parts)


class ProgressReader:
    """Parses output pieces.

    ``totals`` are each dataset's units in cache scripts, which print none; ``passes``
    is two in HunyuanVideo's text cache. ``bar_stage`` is that of unlabelled bars.
    """

    def __init__(
        self,
        totals: Sequence[int | None] = (),
        bar_stage: str = "working",
        passes: int = 1,
        before: tuple[int, int] = (0, 0),
    ) -> None:
        self._steps, self._epochs = before
        self._totals = list(totals) * passes
        self._bar_stage = bar_stage
        self._dataset = -1
        self.now = Progress()

    def read(self, piece: str, stream: str = "") -> Progress | None:
        """Return the new progress if ``piece`` changes it."""
        before = self.now
        self.now = self._next(piece.strip(), stream)
        return self.now if self.now is not before and self.now != before else None

    def know(self, **facts: Any) -> Progress:
        self.now = replace(self.now, **facts)
        return self.now

    def _next(self, text: str, stream: str) -> Progress:
        found = bar(text)
        if found and is_from(stream, STDERR):
            return self._bar(found)
        if is_from(stream, STDOUT) and (event := self._event(text)):
            return event
        body = message(text) or text
        if stage := _stage_of(body):
            if body.startswith(_ENCODING):
                self._dataset += 1
            return self._stage(stage, body)
        return self.now

    def _event(self, text: str) -> Progress | None:
        """Parse epochs and saves (training/trainer_base.py, v0.3.4)."""
        if epoch := _EPOCH.fullmatch(text):
            number, total = (self._epochs + int(epoch[name]) for name in ("n", "total"))
            return replace(self.now, epoch=number, epochs=total)
        if text.startswith(_SAVED):
            return replace(self.now, stage="saving", checkpoint=text.removeprefix(_SAVED), message=text[:500])
        return None

    def _stage(self, stage: str, message: str) -> Progress:
        if stage == self.now.stage:
            return replace(self.now, message=message[:200])
        return replace(
            self.now, stage=stage, message=message[:200], current=0, total=None, rate=None, seconds_left=None
        )

    def _bar(self, found: re.Match[str]) -> Progress:
        n, inside, label = int(found["n"]), found["inside"], found["label"] or ""
        if found.re is COUNT:
            return self._count(n, inside)
        stage = next((stage for prefix, stage in _LABELS if label.strip().startswith(prefix)), self._bar_stage)
        return self._measured(stage, n, int(found["total"]), inside)

    def _count(self, n: int, inside: str) -> Progress:
        done = sum(t or 0 for t in self._totals[: max(self._dataset, 0)])
        known = bool(self._totals) and None not in self._totals
        total = sum(t or 0 for t in self._totals) if known else None
        return self._measured("encoding", (done if known else 0) + n, total, inside)

    def _measured(self, stage: str, n: int, total: int | None, inside: str) -> Progress:
        times, rate, loss = _TIMES.match(inside.strip()), _RATE.search(inside), _LOSS.search(inside)
        per_second = _per_second(rate["rate"], rate["unit"]) if rate else None
        left = _seconds(times["left"]) if times and times["left"] else None
        if left is None and total and per_second:
            left = max(total - n, 0) / per_second
        if stage == "training" and n <= 1:
            per_second = left = None  # the bar is reset after step 1: its first rate is nonsense (v0.3.4)
        before = self._steps if stage == "training" else 0
        return replace(
            self.now,
            stage=stage,
            current=before + n,
            total=before + total if total is not None else None,
            rate=per_second,
            seconds_left=left,
            loss=_number(loss["loss"]) if loss else (self.now.loss if stage == "training" else None),
        )


def is_bar(piece: str) -> bool:
    return bool(bar(piece.strip()))


def is_update(piece: str, later: str) -> bool:
    """Whether ``later`` is a later state of the bar ``piece``."""
    one, other = _state(piece), _state(later)
    return bool(one and other and one[:2] == other[:2] and one[2] <= other[2])


def _state(piece: str) -> tuple[str, str, int] | None:
    found = bar(piece.strip())
    return ((found["label"] or "").strip(), found.groupdict().get("total", ""), int(found["n"])) if found else None


def _stage_of(line: str) -> str | None:
    return next((stage for words, stage in _STAGES if line.startswith(words)), None)


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _seconds(text: str) -> float | None:
    if not text or "?" in text:
        return None
    total = 0.0
    for part in text.split(":"):
        if not part:
            return None
        total = total * 60 + int(part)
    return total


def _per_second(rate: str, unit: str) -> float | None:
    value = float(rate)
    if not value:
        return None
    return 1 / value if unit.startswith("s/") else value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
