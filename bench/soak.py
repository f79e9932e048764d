"""Many short runs in one program: memory, file handles and threads stay as they were."""

from __future__ import annotations

import gc
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench.common import Row, run_script, script, told

WARM_UP = 20
CODE = """
import sys
print("epoch 1/1")
sys.stderr.write("steps: 100%|##########| 1/1 [00:00<00:00,  9.98it/s, avr_loss=1.19]")
"""


@dataclass(frozen=True)
class Held:
    """What a program holds: bytes of memory, open files (handles on Windows) and threads."""

    memory: int
    files: int
    threads: int

    @classmethod
    def now(cls) -> Held:
        """After everything that is no longer used was given back."""
        gc.collect()
        process = psutil.Process()
        files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
        return cls(process.memory_info().rss, files, threading.active_count())

    def __sub__(self, other: Held) -> Held:
        return Held(self.memory - other.memory, self.files - other.files, self.threads - other.threads)


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """500 runs of a script that prints two lines, each with its run folder, log, metrics and status."""
    count = 50 if quick else 500
    start = time.perf_counter()
    grown = growth(folder, count)
    seconds = time.perf_counter() - start
    anchor = f"{told(_bare(folder, count), 's')} alone"
    yield Row(f"{count} short runs, one after the other", seconds, "s", anchor=anchor)
    yield Row("growth of the host's memory by them", grown.memory / 1e6, "MB", 5)
    yield Row("open files that they left", grown.files, "", 0)
    yield Row("threads that they left", grown.threads, "", 0)


def _bare(folder: Path, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        subprocess.run(script(folder, CODE), capture_output=True, check=True)
    return time.perf_counter() - start


def growth(folder: Path, count: int) -> Held:
    """What ``count`` runs have added to what this program holds; some before them warm everything up."""
    command = script(folder, CODE)
    for _ in range(WARM_UP):
        run_script(folder, command)
    before = Held.now()
    for _ in range(count):
        _, made = run_script(folder, command)
        assert made.status()["status"] == "done" and made.has_metrics
    _settle(before.threads)
    return Held.now() - before


def _settle(threads: int) -> None:
    """Reader threads end by themselves, at the end of their stream."""
    until = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.05)
