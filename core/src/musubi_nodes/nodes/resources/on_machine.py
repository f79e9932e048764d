"""Values for the advice on RAM and disks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from musubi_nodes.config import cache_folder
from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.nodes.resources.facts import Facts, gib, gib_of, own_name
from musubi_nodes.runs.hardware.machine import Disk, largest_programs
from musubi_nodes.runs.record.folder import runs_of

NAMED = 3


@dataclass(frozen=True)
class OnMachine:
    facts: Facts

    @property
    def share(self) -> float:
        return self.facts.machine.ram_used / self.facts.machine.ram_total

    @property
    def ram(self) -> str:
        return gib_of(self.facts.machine.ram_used, self.facts.machine.ram_total)

    @property
    def runs(self) -> str:
        return ", ".join(f"{run.name} {gib(run.ram)} GiB" for run in self.facts.runs)

    @property
    def swap_share(self) -> float:
        now = self.facts.machine
        return now.swap_used / now.swap_total if now.swap_total and now.swap_used is not None else 0.0

    @property
    def swap(self) -> str:
        return gib_of(self.facts.machine.swap_used, self.facts.machine.swap_total)

    @property
    def programs(self) -> str:
        found = largest_programs(NAMED, {pid for run in self.facts.runs for pid in run.pids})
        names = {os.getpid(): own_name()}
        return ", ".join(f"{names.get(p.pid, p.name)} (pid {p.pid}) {gib(p.ram)} GiB" for p in found)


@dataclass(frozen=True)
class OnDisk:
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
        output = self.facts.output
        ours = [*_inside(runs_of(output)), output / "musubi" / "cache", cache_folder()]
        sizes = {path: _size(path) for path in ours if _device(path) == _device(self.disk.folder)}
        found = sorted(((size, path) for path, size in sizes.items() if size >= GIB // 20), reverse=True)[:NAMED]
        return ", ".join(f"{path} {gib(size)} GiB" for size, path in found)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _device(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None


def _size(folder: Path) -> int:
    """Return the bytes of all files, without following links."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - as os.walk gives it
            except OSError:
                continue
    return total
