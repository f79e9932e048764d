"""The LoRAs that a training saved, by the step at which it did."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.run_chain import ALL, parts
from musubi_nodes.runs.record.series import Point
from musubi_nodes.weights import read_header


@dataclass(frozen=True)
class Checkpoint:
    """``step`` is the file's ``ss_steps`` (training/trainer_base.py, v0.3.4) after those of earlier runs, ``loss`` the
    smoothed one there."""

    path: Path
    step: int
    loss: float | None


def saved_loras(folder: RunFolder) -> list[tuple[Path, int | None]]:
    """All whole LoRAs that a run saved, earliest first, each with its ``ss_steps``: by these where all tell them, else
    by time (no_metadata). One that is half-written, or removed by musubi-tuner while the run goes on, is left out."""
    found: list[tuple[int, Path, int | None]] = []
    for path in folder.out.glob("*.safetensors"):
        with contextlib.suppress(MusubiError, OSError):
            text = read_header(path).metadata.get("ss_steps", "")
            found.append((path.stat().st_mtime_ns, path, int(text) if text.isdigit() else None))
    known = all(steps is not None for _, _, steps in found)
    return [(path, steps) for _, path, steps in sorted(found, key=lambda each: (known and each[2], each[0]))]


def checkpoints(folder: RunFolder, points: Sequence[Point]) -> list[Checkpoint]:
    """Those of the training that tell their step, first to last, also of the runs before this one. ``points`` are all
    of the training, in order."""
    known = [point for point in points if point.get("smooth") is not None]
    found = []
    for path, step in of_training(folder):
        if step is not None:
            before = bisect.bisect_right(known, step, key=lambda point: point["step"])
            found.append(Checkpoint(path, step, known[before - 1]["smooth"] if before else None))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def of_training(folder: RunFolder) -> list[tuple[Path, int | None]]:
    """The LoRAs of the run, and of those that it went on from until there, earliest first, each with its step of the
    whole training; of earlier runs only those that tell it."""
    found: list[tuple[Path, int | None]] = []
    for run, until in parts(folder):
        for path, own in saved_loras(run):
            step = None if own is None else run.before.steps + own
            if until is ALL or (step is not None and step <= until.steps):
                found.append((path, step))
    return found


def best(saved: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one with the lowest smoothed loss, the later of two; the last where no loss is known."""
    known = [each for each in reversed(saved) if each.loss is not None]
    return min(known, key=lambda each: each.loss or 0.0) if known else (saved[-1] if saved else None)
