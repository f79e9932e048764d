"""The command of a run, its watcher and its outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from musubi_nodes.runs.record.progress import Progress


class Watcher(Protocol):
    """Shows a run's progress and may cancel it by raising.

    The attribute ``interrupt``, if set, is the error raised.
    """

    def progress(self, now: Progress) -> None:
        """Show a change; called in the thread of :func:`run`."""

    def raise_if_interrupted(self) -> None:
        """Raise the host's interrupt to cancel; called every 0.2 s."""


@dataclass(frozen=True)
class Command:
    """What to run: arguments, whole environment, meaning of the bars.

    ``secrets`` names further variables to hide; ``events`` is TensorBoard's folder.
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
    """A finished run, or one stopped after saving ``checkpoint``."""

    seconds: float
    last: Progress
    checkpoint: Path | None = None
    peak_gpu_bytes: int | None = None
