"""What is run, who looks at it, and what comes of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from musubi_nodes.runs.record.progress import Progress


class Watcher(Protocol):
    """Who looks at a run: gets its progress and may end it by raising. An attribute ``interrupt`` may hold what it
    raised, so that the run counts as cancelled also where that comes while its outputs are checked."""

    def progress(self, now: Progress) -> None:
        """Called for each change, from the thread that called :func:`run`; slow hosts throttle themselves."""

    def raise_if_interrupted(self) -> None:
        """Called every 0.2 s; raises the host's own interrupt exception to cancel the run."""


@dataclass(frozen=True)
class Command:
    """What to run: the whole argument list, where, with the whole environment, and what its bars mean.

    ``secrets`` are the names of variables whose values no file may show, besides those that are named like secrets.
    ``events`` is the folder in which the script writes TensorBoard's event files, if it does.
    """

    script: str
    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    secrets: Collection[str] = ()
    family: str = ""
    totals: Sequence[int | None] = ()
    bar_stage: str = "working"
    passes: int = 1
    events: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """A run that ended with exit code 0, or after a save because somebody asked for it: after ``checkpoint``."""

    seconds: float
    last: Progress
    checkpoint: Path | None = None
    peak_gpu_bytes: int | None = None
