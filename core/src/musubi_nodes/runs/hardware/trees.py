"""The processes of this machine's runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.heartbeat import is_here


def running(output: Path) -> Iterator[RunFolder]:
    for folder in run_folders(output):
        status = folder.status()
        if status["status"] == "running" and is_here(status):
            yield folder


def tree(folder: RunFolder) -> list[Any]:
    """List guard, command and descendants (psutil)."""
    import psutil

    record = folder.read_json("process.json")
    if "returncode" in record:
        return []
    with contextlib.suppress(ValueError, TypeError, KeyError, psutil.Error, OSError):
        top = psutil.Process(int(record["guard"] if "guard" in record else record["pid"]))
        return [top, *top.children(recursive=True)]
    return []


def this_program() -> list[Any]:
    import psutil

    return [psutil.Process()]


def ram(processes: Iterable[Any]) -> int:
    """Sum their bytes, on Linux PSS, because workers share pages."""
    return sum(_ram(process) for process in processes)


def _ram(process: Any) -> int:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        facts = process.memory_full_info()
        return int(getattr(facts, "pss", facts.uss))
    with contextlib.suppress(psutil.Error, OSError):
        return int(process.memory_info().rss)
    return 0
