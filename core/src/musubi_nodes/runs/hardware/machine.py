"""CPU, main memory and disks of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """``cpu`` in percent of all cores since the reading before; the rest in bytes. What Linux keeps of files in memory
    counts as free, as it gives way. ``None`` is what the system does not tell."""

    cpu: float | None
    ram_used: int
    ram_total: int
    swap_used: int | None = None
    swap_total: int | None = None


@dataclass(frozen=True)
class Disk:
    """The disk of ``folder``, in bytes."""

    folder: Path
    free: int
    total: int


@dataclass(frozen=True)
class Program:
    """A process and the bytes of main memory that it holds."""

    pid: int
    name: str
    ram: int


def machine() -> Machine:
    """One reading. The first one of a process tells no CPU: 0."""
    import psutil

    memory, swap = psutil.virtual_memory(), _told(psutil.swap_memory)
    return Machine(
        _told(psutil.cpu_percent),
        int(memory.total - memory.available),
        int(memory.total),
        int(swap.used) if swap else None,
        int(swap.total) if swap else None,
    )


def _told(question: Callable[[], Any]) -> Any:
    """The answer, or ``None``: psutil lets errors of the system through as they come."""
    try:
        return question()
    except Exception:
        return None


def disks(folders: Iterable[Path]) -> list[Disk]:
    """The disks that these folders lie on, each once; of a folder that is not made yet, its nearest parent's."""
    import psutil

    found: dict[int, Disk] = {}
    for folder in folders:
        with contextlib.suppress(OSError, StopIteration):
            there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
            usage = psutil.disk_usage(str(there))
            found.setdefault(there.stat().st_dev, Disk(folder, int(usage.free), int(usage.total)))
    return list(found.values())


def largest_programs(most: int, without: Collection[int]) -> list[Program]:
    """The processes that hold most main memory, but for ``without``."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in without:
                found.append(Program(process.pid, process.name() or "?", int(process.memory_info().rss)))
    return sorted(found, key=lambda program: -program.ram)[:most]


def program_name(pid: int) -> str | None:
    """What a process is called; ``None`` where this system does not show it (it ended, or is in another container)."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return str(psutil.Process(pid).name())
    return None
