"""What the Resource Monitor knows when it has looked: the machine, its GPUs, and which of it our own runs hold."""

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
"""From where to where plots go."""
BUSY = 85.0
"""Percent of the CPU from which on it leaves no room for another program."""
HIDDEN = "a process that is not seen from here"


@dataclass(frozen=True)
class OurRun:
    """A run that runs now: its processes, the main memory that they hold, its GPUs, and what it is doing."""

    name: str
    pids: frozenset[int]
    ram: int
    gpus: tuple[str, ...]
    stage: str

    def is_on(self, card: Card) -> bool:
        """Whether it holds the card, or was given it."""
        return card.held_by(self.pids) is not None or any(card.is_called(name) for name in self.gpus)


@dataclass(frozen=True)
class Holder:
    """Who holds a card's memory; ``bytes`` is ``None`` where the driver does not tell how much."""

    name: str
    kind: str
    bytes: int | None
    seen: bool = True


@dataclass(frozen=True)
class Facts:
    """``own_ram``: bytes of main memory that this program holds. ``refusal``: why no driver answers. ``record``: the
    run whose history is shown, and its rows."""

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
        """As it is now."""
        return self.moments[-1].machine

    @property
    def cards(self) -> Sequence[Card]:
        """As they are now."""
        return self.moments[-1].cards

    @property
    def cpu(self) -> float | None:
        """Percent of all cores, on average over what was watched; ``None`` where the system does not tell."""
        told = [moment.machine.cpu for moment in self.moments if moment.machine.cpu is not None]
        return fmean(told) if told else None

    @property
    def cpu_is_busy(self) -> bool:
        """Whether the CPU may be what a GPU waits for."""
        return self.cpu is not None and self.cpu >= BUSY

    def uses(self, card: Card) -> list[int]:
        """The card's use in percent, as far as it is told, over what was watched."""
        same = (each for moment in self.moments for each in moment.cards if each.number == card.number)
        return [each.use for each in same if each.use is not None]

    def runs_on(self, card: Card) -> list[OurRun]:
        """Our runs on this card."""
        return [run for run in self.runs if run.is_on(card)]

    def holders(self, card: Card) -> list[Holder]:
        """Runs first, then this program, then other programs; those that hold most before others."""
        found = [_holder(pid, held) for pid, held in (card.held or {}).items() if not self._is_ours(pid)]
        ours = [Holder(run.name, RUNS, card.held_by(run.pids)) for run in self.runs if _is_held(card, run)]
        order = [RUNS, SELF, OTHERS]
        return sorted([*ours, *found], key=lambda each: (order.index(each.kind), -(each.bytes or 0)))

    def _is_ours(self, pid: int) -> bool:
        return any(pid in run.pids for run in self.runs)


def gathered(output: Path, moments: Sequence[Moment], refusal: str, record: RunFolder | None) -> Facts:
    """The facts, once the machine was watched."""
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


def this_one() -> str:
    """What the program that looks calls itself."""
    return translate(SELF)


def gib(size: float | None) -> str:
    """``12.3``; ``?`` where it is not known."""
    return "?" if size is None else f"{size / GIB:.1f}"


def gib_of(used: float | None, total: float | None) -> str:
    """``18.2 of 24.0 GiB``."""
    return translate("{used} of {total} GiB", used=gib(used), total=gib(total))


def percent(part: float | None, whole: float | None) -> float | None:
    """``part`` of ``whole``; ``None`` where one of them is not known."""
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
        return Holder(f"{this_one()} (pid {pid})", SELF, held)
    name = program_name(pid)
    return Holder(f"{name or translate(HIDDEN)} (pid {pid})", OTHERS, held, seen=name is not None)
