"""LoRAs that a training saved."""

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
    """A saved LoRA and the smoothed loss at its step in the whole training."""

    path: Path
    step: int
    loss: float | None


def saved_loras(folder: RunFolder) -> list[tuple[Path, int | None]]:
    """List whole LoRAs with ``ss_steps`` (trainer_base.py, v0.3.4)."""
    found: list[tuple[int, Path, int | None]] = []
    for path in folder.out.glob("*.safetensors"):
        with contextlib.suppress(MusubiError, OSError):
            text = read_header(path).metadata.get("ss_steps", "")
            found.append((path.stat().st_mtime_ns, path, int(text) if text.isdigit() else None))
    known = all(steps is not None for _, _, steps in found)
    return [(path, steps) for _, path, steps in sorted(found, key=lambda each: (known and each[2], each[0]))]


def checkpoints(folder: RunFolder, points: Sequence[Point]) -> list[Checkpoint]:
    """List those with a step; ``points`` are all metrics in order."""
    known = [point for point in points if point.get("smooth") is not None]
    found = []
    for path, step in of_training(folder):
        if step is not None:
            before = bisect.bisect_right(known, step, key=lambda point: point["step"])
            found.append(Checkpoint(path, step, known[before - 1]["smooth"] if before else None))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def of_training(folder: RunFolder) -> list[tuple[Path, int | None]]:
    """List LoRAs of a run and those it resumed, by step in the training."""
    found: list[tuple[Path, int | None]] = []
    for run, until in parts(folder):
        for path, own in saved_loras(run):
            step = None if own is None else run.before.steps + own
            if until is ALL or (step is not None and step <= until.steps):
                found.append((path, step))
    return found


def best(saved: Sequence[Checkpoint]) -> Checkpoint | None:
    known = [each for each in reversed(saved) if each.loss is not None]
    return min(known, key=lambda each: each.loss or 0.0) if known else (saved[-1] if saved else None)
