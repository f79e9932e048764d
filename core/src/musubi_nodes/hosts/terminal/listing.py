"""The commands ``runs`` and ``stop``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from musubi_nodes.errors import MusubiError, printable
from musubi_nodes.hosts.columns import cut, table
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.progress import clock

HEADINGS = ("RUN", "STARTED", "STATUS", "FAMILY", "NODE", "NAME", "STEP", "LOSS", "TIME")
NUMBERS = (6, 7, 8)
ELASTIC = (4, 5, 3)
"""Columns to shorten first: node, name, family."""


@dataclass(frozen=True)
class Listed:
    """A run in ``runs --json``.

    ``folder`` is its folder's name, ``name`` its output. ``started`` is in seconds since 1970.
    """

    folder: str
    path: str
    status: str
    family: str
    node: str
    name: str
    started: float | None
    seconds: float | None
    step: int | None
    steps: int | None
    loss: float | None
    error: str
    code: str
    made: str


def listed(folder: RunFolder) -> Listed:
    status, origin, progress = folder.status(), folder.origin(), folder.progress()
    started = origin.get("time")
    ended = time.time() if status["status"] == "running" else status.get("time")
    made = status.get("made", "")
    return Listed(
        folder=folder.path.name,
        path=str(folder.path),
        status=status["status"],
        family=origin.get("family", ""),
        node=origin.get("class", "").removeprefix("MusubiTuner_"),
        name=printable(folder.read_json("training.json").get("output_name", "")) or Path(made).stem,
        started=started,
        seconds=None if started is None or ended is None else max(ended - started, 0.0),
        step=progress.get("step"),
        steps=progress.get("steps"),
        loss=progress.get("loss"),
        error=status.get("error", ""),
        code=status.get("code", ""),
        made=made,
    )


def list_runs(output: Path, limit: int, as_json: bool = False) -> int:
    found = [listed(folder) for folder in islice(run_folders(output), limit)]
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=1))
        return 0
    if not found:
        print(f"no runs below {output.absolute()}")
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    first, *lines = table([HEADINGS, *map(_row, found)], width, ELASTIC, NUMBERS)
    print(first)
    for each, line in zip(found, lines, strict=True):
        print(line)
        if each.error:
            error = f"        {each.error.splitlines()[0]}"
            print(cut(error, width) if width else error)
    return 0


def _row(run: Listed) -> Sequence[str]:
    steps = "" if run.step is None else f"{run.step}/{run.steps}" if run.steps else str(run.step)
    return (
        run.folder.rpartition("-")[2],
        "" if run.started is None else _local(run.started),
        run.status,
        run.family,
        run.node,
        run.name,
        steps,
        "" if run.loss is None else f"{run.loss:.3g}",
        "" if run.seconds is None else clock(run.seconds),
    )


def _local(seconds: float) -> str:
    try:
        return time.strftime("%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return ""


def stop_run(output: Path, name: str) -> int:
    """Ask the running training to stop after its next save."""
    running = [folder for folder in run_folders(output) if folder.status()["status"] == "running"]
    found = [folder for folder in running if name in folder.path.name]
    if len(found) != 1:
        names = ", ".join(folder.path.name for folder in running) or "none"
        raise MusubiError(
            "run-ambiguous" if found else "run-not-running",
            f"{len(found) or 'no'} running runs below {output.absolute()} are called {name!r}"
            if name
            else f"{len(found) or 'no'} runs are running below {output.absolute()}",
            why=f"Running: {names}.",
            fix="Name one of them, and its --output folder. Ctrl-C in its own terminal ends it at once.",
        )
    found[0].ask_to_stop()
    print(f"{found[0].path.name} ends after its next save")
    return 0
