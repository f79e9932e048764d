"""What the sentences of the advice are about: a GPU, the machine, a disk, the record of a run. Each figure is worked
out only where a rule asks for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import get_args

from musubi_nodes.config import cache_folder
from musubi_nodes.families.footprint import GIB
from musubi_nodes.nodes.memory import DESKTOP, MemoryOptimizer
from musubi_nodes.nodes.resource_facts import OTHERS, SELF, Facts, Holder, gib
from musubi_nodes.nodes.resource_text import memory
from musubi_nodes.runs.cards import Card
from musubi_nodes.runs.folder import RunFolder, runs_of
from musubi_nodes.runs.machine import Disk, largest_programs
from musubi_nodes.runs.series import whole

MODES = [
    int(mode.split()[0]) for mode in get_args(MemoryOptimizer.Inputs.model_fields["mode"].annotation) if " " in mode
]
"""GB of the cards that the Memory Optimizer has a plan for, from small to large."""
NAMED = 3
"""Programs and folders that a sentence names."""


@dataclass(frozen=True)
class OnCard:
    """A GPU."""

    facts: Facts
    card: Card

    @property
    def gpu(self) -> str:
        return f"GPU {self.card.number}"

    @property
    def memory(self) -> str:
        return memory(self.card)

    @property
    def share(self) -> float:
        """Of its memory that is held; 0 where it is not known, so that nothing follows from it."""
        return self.card.used / self.card.total if self.card.total and self.card.used is not None else 0.0

    @property
    def free(self) -> float:
        return (self.card.free or 0) / GIB

    @cached_property
    def holders(self) -> Sequence[Holder]:
        return self.facts.holders(self.card)

    @property
    def foreign(self) -> Sequence[Holder]:
        """Other programs of this system."""
        return [each for each in self.holders if each.kind == OTHERS and each.seen]

    @property
    def foreign_gib(self) -> float:
        return sum(each.bytes or 0 for each in self.foreign) / GIB

    @property
    def programs(self) -> str:
        """Those that hold most, with how much where it is told."""
        shown = [each.name + ("" if each.bytes is None else f" {gib(each.bytes)} GiB") for each in self.foreign[:NAMED]]
        return ", ".join(shown)

    @property
    def untold(self) -> bool:
        """Whether the driver names programs, but not what they hold."""
        return bool(self.foreign) and all(each.bytes is None for each in self.foreign)

    @property
    def own_gib(self) -> float:
        """What this program itself holds: in ComfyUI, its models."""
        return sum(each.bytes or 0 for each in self.holders if each.kind == SELF) / GIB

    @property
    def runs(self) -> str:
        return ", ".join(run.name for run in self.facts.runs_on(self.card))

    @property
    def mode(self) -> int:
        """The Memory Optimizer's mode for such a card; 0 for a smaller one."""
        total = (self.card.total or 0) / GIB
        return max((size for size in MODES if size <= total + DESKTOP), default=0)

    @property
    def fitting(self) -> str:
        """Which modes need no more than what is free."""
        sizes = [size for size in MODES if size - DESKTOP <= self.free]
        return f"Use mode auto or {max(sizes)} GB." if sizes else "No mode counts on so little: free some of it first."

    @property
    def lacks(self) -> bool:
        """Whether clearly less is free than the card's own mode plans for; a run unloads what this program holds."""
        return self.card.free is not None and self.free + self.own_gib < self.mode - 2 * DESKTOP

    @cached_property
    def use(self) -> float | None:
        """Percent on average; ``None`` where it was not told often enough."""
        uses = self.facts.uses(self.card)
        return fmean(uses) if len(uses) >= 5 else None

    @property
    def starves(self) -> bool:
        trains = any(run.stage == "training" for run in self.facts.runs_on(self.card))
        return trains and self.use is not None and self.use < 30

    @property
    def idle(self) -> bool:
        return self.use is not None and self.use < 5 and self.share < 0.1 and not self.runs

    @property
    def busy_elsewhere(self) -> str:
        """The runs on other GPUs."""
        others = (OnCard(self.facts, card) for card in self.facts.cards if card.number != self.card.number)
        return ", ".join(f"{each.runs} on {each.gpu}" for each in others if each.runs)


@dataclass(frozen=True)
class OnMachine:
    """CPU and main memory."""

    facts: Facts

    @property
    def share(self) -> float:
        return self.facts.machine.ram_used / self.facts.machine.ram_total

    @property
    def ram(self) -> str:
        return f"{gib(self.facts.machine.ram_used)} of {gib(self.facts.machine.ram_total)} GiB"

    @property
    def runs(self) -> str:
        return ", ".join(f"{run.name} {gib(run.ram)} GiB" for run in self.facts.runs)

    @property
    def swap_share(self) -> float:
        now = self.facts.machine
        return now.swap_used / now.swap_total if now.swap_total and now.swap_used is not None else 0.0

    @property
    def swap(self) -> str:
        return f"{gib(self.facts.machine.swap_used)} of {gib(self.facts.machine.swap_total)} GiB"

    @property
    def programs(self) -> str:
        """The largest programs that are no runs of ours."""
        found = largest_programs(NAMED, {pid for run in self.facts.runs for pid in run.pids})
        names = {os.getpid(): SELF}
        return ", ".join(f"{names.get(p.pid, p.name)} (pid {p.pid}) {gib(p.ram)} GiB" for p in found)


@dataclass(frozen=True)
class OnDisk:
    """A disk that we write to."""

    facts: Facts
    disk: Disk

    @property
    def folder(self) -> Path:
        return self.disk.folder

    @property
    def free(self) -> float:
        return self.disk.free / GIB

    @property
    def nearly_full(self) -> bool:
        return self.free < 10 or (self.free < 50 and self.disk.free < 0.03 * self.disk.total)

    @cached_property
    def largest(self) -> str:
        """Our largest folders on it; empty where none is large."""
        output = self.facts.output
        ours = [*_inside(runs_of(output)), output / "musubi" / "cache", cache_folder()]
        sizes = {path: _size(path) for path in ours if _device(path) == _device(self.disk.folder)}
        found = sorted(((size, path) for path, size in sizes.items() if size >= GIB // 20), reverse=True)[:NAMED]
        return ", ".join(f"{path} {gib(size)} GiB" for size, path in found)


@dataclass(frozen=True)
class OnRecord:
    """What was recorded of a run."""

    facts: Facts
    folder: RunFolder

    @property
    def name(self) -> str:
        return self.folder.path.name

    @property
    def over(self) -> bool:
        return all(run.name != self.name for run in self.facts.runs)

    @property
    def gpu_share(self) -> float:
        return self._most("gpu_used", "gpu_total")[2]

    @property
    def gpu(self) -> str:
        used, total, _ = self._most("gpu_used", "gpu_total")
        return f"{gib(used)} of {gib(total)} GiB"

    @property
    def ram_share(self) -> float:
        return self._most("ram_used", "ram_total")[2]

    @property
    def ram(self) -> str:
        used, total, _ = self._most("ram_used", "ram_total")
        return f"{gib(used)} of {gib(total)} GiB"

    @property
    def swapped(self) -> int:
        """``--blocks_to_swap`` of its command."""
        words = self.folder.json("command.json").get("command")
        found = [str(word) for word in words or () if str(word).startswith("--blocks_to_swap=")]
        value = found[-1].partition("=")[2] if found else ""
        return int(value) if value.isdecimal() else 0

    @cached_property
    def use(self) -> float | None:
        """Percent on average from its first step to its last; ``None`` where it was not told often enough."""
        times = [point["time"] for point in whole(self.folder.metrics).points() if point.get("time")]
        uses = [
            row["gpu_use"]
            for row in self.facts.rows
            if "gpu_use" in row and times and times[0] <= row.get("time", 0) <= times[-1]
        ]
        return fmean(uses) if len(uses) >= 5 else None

    def _most(self, used: str, total: str) -> tuple[float, float, float]:
        """Bytes, of how many, and the share; zeros where nothing is on record."""
        told = [(row[used], row[total]) for row in self.facts.rows if used in row and row.get(total)]
        return max(((*each, each[0] / each[1]) for each in told), key=lambda each: each[2], default=(0, 0, 0.0))


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _device(path: Path) -> int | None:
    """Which disk it is on; ``None`` where it does not exist."""
    try:
        return path.stat().st_dev
    except OSError:
        return None


def _size(folder: Path) -> int:
    """Bytes of all files below; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - as os.walk gives it
            except OSError:
                continue
    return total
