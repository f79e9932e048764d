"""Samples of a training."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.files import is_own
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.run_chain import Part, parts

_NAME = re.compile(r"(?:^|_)(?P<epoch>e)?(?P<number>\d{6,})_(?P<prompt>\d{2,})_\d{14}(?:_\d+)?(?:_\d{3})?\.\w+$")
"""Output name, epoch or step, prompt, time, seed (trainer_base.py, v0.3.4)."""
VIDEOS = (".mp4", ".webm")
SHOWN = (".png", ".jpg", ".webp", *VIDEOS)


@dataclass(frozen=True)
class Sample:
    """One picture or video, made at ``step`` or the end of ``epoch``."""

    path: Path
    prompt: int
    step: int | None
    epoch: int | None
    size: int
    time: float

    @property
    def label(self) -> str:
        return f"epoch {self.epoch}" if self.epoch is not None else f"step {self.step}"

    @property
    def is_video(self) -> bool:
        return self.path.suffix in VIDEOS


def samples(folder: RunFolder) -> list[Sample]:
    return [
        sample for part in parts(folder) for sample in sorted(_found(part), key=lambda each: (each.time, each.path))
    ]


def _found(part: Part) -> Iterator[Sample]:
    run, until = part
    steps, epochs = run.before
    if not all(is_own(folder, stat.S_ISDIR) for folder in (run.out, run.samples)):
        return
    try:
        entries = list(os.scandir(run.samples))
    except OSError:
        return
    for entry in entries:
        name = _NAME.search(entry.name)
        if not name or not entry.name.endswith(SHOWN) or not entry.is_file(follow_symlinks=False):
            continue
        try:
            facts = entry.stat(follow_symlinks=False)
        except OSError:  # deleted meanwhile
            continue
        number = int(name["number"])
        step, epoch = (None, epochs + number) if name["epoch"] else (steps + number, None)
        if (step or 0) > until.steps or (epoch or 0) > until.epochs:
            continue
        yield Sample(Path(entry.path), int(name["prompt"]), step, epoch, facts.st_size, facts.st_mtime)
