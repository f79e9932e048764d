"""The LoRAs that a training saved, by the step at which it did."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.series import Point
from musubi_nodes.weights import read_header


@dataclass(frozen=True)
class Checkpoint:
    """``step`` is the file's ``ss_steps`` (training/trainer_base.py, v0.3.4) after those of earlier runs, ``loss`` the
    smoothed one there."""

    path: Path
    step: int
    loss: float | None


def checkpoints(folder: RunFolder, points: Sequence[Point]) -> list[Checkpoint]:
    """All whole checkpoints, first to last. ``points`` are all of the run, in order."""
    known = [point for point in points if point.get("smooth") is not None]
    found = []
    for path in folder.out.glob("*.safetensors"):
        try:
            text, time = read_header(path).metadata.get("ss_steps", ""), path.stat().st_mtime_ns
        except (MusubiError, OSError):  # half-written, or removed by musubi-tuner, while the run goes on
            continue
        if text.isdigit():
            step = folder.before[0] + int(text)
            before = bisect.bisect_right(known, step, key=lambda point: point["step"])
            found.append((step, time, Checkpoint(path, step, known[before - 1]["smooth"] if before else None)))
    return [checkpoint for _, _, checkpoint in sorted(found, key=lambda each: each[:2])]


def best(saved: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one with the lowest smoothed loss, the later of two; the last where no loss is known."""
    known = [each for each in reversed(saved) if each.loss is not None]
    return min(known, key=lambda each: each.loss or 0.0) if known else (saved[-1] if saved else None)
