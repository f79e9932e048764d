"""Writes metrics.jsonl: one row a training step."""

from __future__ import annotations

import json
import math
import time
from typing import Any, BinaryIO

from musubi_nodes.runs.progress import Progress


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write to an unbuffered file, which may take less than it is given; OSError at once where the disk is full."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class Metrics:
    """Rows of step, loss, epoch and time.

    A slow step prints two bar updates, the first still with the loss of the step before (v0.3.4): a row is written when
    its step is over. A loss that is no number becomes ``null``, so that every line is strict JSON.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._row: dict[str, Any] = {}
        self.nan_loss = False

    def add(self, now: Progress) -> None:
        """Look at one progress."""
        if now.stage != "training" or now.loss is None:
            return
        finite = math.isfinite(now.loss)
        self.nan_loss |= not finite
        row = {"step": now.current, "loss": now.loss if finite else None, "epoch": now.epoch}
        if now.current == self._row.get("step", now.current):
            time_seen = self._row.get("time", round(time.time(), 3))
            self._row = {**row, "time": time_seen}
            return
        self.flush()
        self._row = {**row, "time": round(time.time(), 3)}

    def flush(self) -> None:
        """Write the last step's row."""
        if self._row:
            write_all(self._file, json.dumps(self._row).encode() + b"\n")
            self._row = {}
