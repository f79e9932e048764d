"""Writes metrics.jsonl, one object per training step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from musubi_nodes.runs.record.events import Scalar
from musubi_nodes.runs.record.progress import Progress

# of training/trainer_base.py, v0.3.4; Prodigy and D-Adapt use d*lr
COLUMNS = {
    "loss/current": "loss",
    "loss/average": "average",
    "lr/unet": "lr",
    "lr/d*lr/unet": "effective_lr",
}

NAN_STEPS = 20  # consecutive; NaN weights in bf16 never recover


def write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class Metrics:
    """Rows of step, loss, average (musubi-tuner's avr_loss), lr, epoch, time.

    Bars give rows, with averages only, until event files appear. A row is written when
    its step is over; ``before`` are steps of earlier runs.
    """

    def __init__(self, file: BinaryIO, before: int = 0) -> None:
        self._file, self._before = file, before
        self._row: dict[str, Any] = {}
        self._losses: list[float] = []
        self._from_events = False
        self._epoch: int | None = None
        self.lr: float | None = None
        self.nan_since: int | None = None
        self._nan_steps = 0

    @property
    def hopeless(self) -> bool:
        """Whether the loss was NaN for :data:`NAN_STEPS` steps (events only)."""
        return self._nan_steps >= NAN_STEPS

    def add(self, now: Progress) -> None:
        self._epoch = now.epoch
        if now.stage != "training" or now.loss is None:
            return
        if not self._from_events:
            self._note(now.current, time.time(), {"average": now.loss})

    def scalars(self, found: Iterable[Scalar]) -> None:
        """Add events, except per epoch and of the incomplete step 0."""
        for scalar in found:
            column = COLUMNS.get(scalar.tag)
            if column is None or scalar.step < 1:
                continue
            self._from_events = True
            if column.endswith("lr"):
                self.lr = scalar.value
            value, step = scalar.value, self._before + scalar.step
            if column == "loss":
                if self._row.get("step") != step:
                    self.flush()
                self._losses.append(value)
                value = sum(self._losses) / len(self._losses)
            self._note(step, scalar.time, {column: value})

    def _note(self, step: int, seen: float, values: Mapping[str, float]) -> None:
        if step != self._row.get("step"):
            self.flush()
            self._row = {"step": step, "epoch": self._epoch, "time": round(seen, 3)}
        self._row |= {name: value if math.isfinite(value) else None for name, value in values.items()}

    def flush(self) -> None:
        if not self._row:
            return
        row, self._row, self._losses = self._row, {}, []
        self._judge(row)
        write_all(self._file, json.dumps(row).encode() + b"\n")

    def _judge(self, row: Mapping[str, Any]) -> None:
        if "loss" not in row:
            return
        bad = row["loss"] is None
        self._nan_steps = self._nan_steps + 1 if bad else 0
        self.nan_since = row["step"] - self._nan_steps + 1 if bad else None
