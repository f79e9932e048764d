"""CPU, main memory and disks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """``cpu`` in percent of all cores since the last reading, else bytes.

    Linux's file cache counts as free.
    """

    cpu: float | None
    ram_used: int
    ram_total: int
    swap_used: int | None = None
    swap_total: int | None = None


@dataclass(frozen=True)
class Disk:
    folder: Path
    free: int
    total: int


@dataclass(frozen=True)
class Program:
    pid: int
    name: str
    ram: int


def machine() -> Machine:
    """Take one reading; the first in a process has no CPU use."""
    import psutil

    memory, swap = psutil.virtual_memory(), _or_none(psutil.swap_memory)
    return Machine(
        _or_none(psutil.cpu_percent),
        int(memory.total - memory.available),
        int(memory.total),
        int(swap.used) if swap else None,
        int(swap.total) if swap else None,
    )


def _or_none(query: Callable[[], Any]) -> Any:
    """Return ``None`` on any error; psutil passes the system's through."""
    try:
        return query()
    except Exception:
        return None


def disks(folders: Iterable[Path]) -> list[Disk]:
    """List disks once each; folders need not exist."""
    import psutil

    found: dict[int, Disk] = {}
    for folder in folders:
        with contextlib.suppress(OSError, StopIteration):
            there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
            usage = psutil.disk_usage(str(there))
            found.setdefault(there.stat().st_dev, Disk(folder, int(usage.free), int(usage.total)))
    return list(found.values())


def largest_programs(most: int, without: Collection[int]) -> list[Program]:
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in without:
                found.append(Program(process.pid, process.name() or "?", int(process.memory_info().rss)))
    return sorted(found, key=lambda program: -program.ram)[:most]


def program_name(pid: int) -> str | None:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return str(psutil.Process(pid).name())
    return None
