"""Measurements of machine, GPUs and runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from musubi_nodes.config import cache_folder
from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.i18n import translate
from musubi_nodes.runs.hardware.cards import Card
from musubi_nodes.runs.hardware.gpu import names_in
from musubi_nodes.runs.hardware.history import read_history
from musubi_nodes.runs.hardware.machine import Disk, Machine, disks, program_name
from musubi_nodes.runs.hardware.trees import ram, running, this_program, tree
from musubi_nodes.runs.hardware.watching import Moment
from musubi_nodes.runs.record.folder import RunFolder

RUNS, SELF, OTHERS = "musubi's runs", "this program", "others"
PERCENT = (0.0, 100.0)
BUSY = 85.0
"""CPU percentage that leaves no room for other programs."""
HIDDEN = "a process that is not seen from here"


@dataclass(frozen=True)
class OurRun:
    """An active run; ``ram`` in bytes."""

    name: str
    pids: frozenset[int]
    ram: int
    gpus: tuple[str, ...]
    stage: str

    def is_on(self, card: Card) -> bool:
        return card.held_by(self.pids) is not None or any(card.is_called(name) for name in self.gpus)


@dataclass(frozen=True)
class Holder:
    """A process that uses GPU memory; ``bytes`` may be unknown."""

    name: str
    kind: str
    bytes: int | None
    seen: bool = True


@dataclass(frozen=True)
class Facts:
    """All measurements.

    ``own_ram`` is in bytes, ``refusal`` says why no driver answers, ``record`` and ``rows`` are a run's history.
    """

    moments: Sequence[Moment]
    runs: Sequence[OurRun]
    disks: Sequence[Disk]
    output: Path
    own_ram: int = 0
    refusal: str = ""
    record: Path | None = None
    rows: Sequence[dict[str, Any]] = ()

    @property
    def machine(self) -> Machine:
        return self.moments[-1].machine

    @property
    def cards(self) -> Sequence[Card]:
        return self.moments[-1].cards

    @property
    def cpu(self) -> float | None:
        """Average percentage of all cores, if known."""
        told = [moment.machine.cpu for moment in self.moments if moment.machine.cpu is not None]
        return fmean(told) if told else None

    @property
    def cpu_is_busy(self) -> bool:
        return self.cpu is not None and self.cpu >= BUSY

    def uses(self, card: Card) -> list[int]:
        same = (each for moment in self.moments for each in moment.cards if each.number == card.number)
        return [each.use for each in same if each.use is not None]

    def runs_on(self, card: Card) -> list[OurRun]:
        return [run for run in self.runs if run.is_on(card)]

    def holders(self, card: Card) -> list[Holder]:
        """Return runs, this program, then others, largest first."""
        found = [_holder(pid, held) for pid, held in (card.held or {}).items() if not self._is_ours(pid)]
        ours = [Holder(run.name, RUNS, card.held_by(run.pids)) for run in self.runs if _is_held(card, run)]
        order = [RUNS, SELF, OTHERS]
        return sorted([*ours, *found], key=lambda each: (order.index(each.kind), -(each.bytes or 0)))

    def _is_ours(self, pid: int) -> bool:
        return any(pid in run.pids for run in self.runs)


def gather(output: Path, moments: Sequence[Moment], refusal: str, record: RunFolder | None) -> Facts:
    return Facts(
        moments,
        [_run(folder) for folder in running(output)],
        disks([output, output / "musubi" / "cache", cache_folder()]),
        output,
        ram(this_program()),
        refusal,
        record.path if record else None,
        read_history(record.resources) if record else (),
    )


def own_name() -> str:
    return translate(SELF)


def gib(size: float | None) -> str:
    """Format as ``12.3``, or ``?`` if unknown."""
    return "?" if size is None else f"{size / GIB:.1f}"


def gib_of(used: float | None, total: float | None) -> str:
    """Format as ``18.2 of 24.0 GiB``."""
    return translate("{used} of {total} GiB", used=gib(used), total=gib(total))


def percent(part: float | None, whole: float | None) -> float | None:
    """Return the percentage, if both are known."""
    return 100 * part / whole if whole and part is not None else None


def _run(folder: RunFolder) -> OurRun:
    processes = tree(folder)
    environment = folder.read_json("command.json").get("environment")
    visible = environment.get("CUDA_VISIBLE_DEVICES", "") if isinstance(environment, dict) else ""
    stage = folder.progress().get("stage", "starting")
    pids = frozenset(process.pid for process in processes)
    return OurRun(folder.path.name, pids, ram(processes), tuple(names_in(str(visible))), stage)


def _is_held(card: Card, run: OurRun) -> bool:
    return bool(run.pids & (card.held or {}).keys())


def _holder(pid: int, held: int | None) -> Holder:
    if pid == os.getpid():
        return Holder(f"{own_name()} (pid {pid})", SELF, held)
    name = program_name(pid)
    return Holder(f"{name or translate(HIDDEN)} (pid {pid})", OTHERS, held, seen=name is not None)
