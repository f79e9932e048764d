"""From the print of a line in the child to the progress callback in the host."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.common import Row, quantile, run_script, script, told

from musubi_nodes.runs.record.progress import Progress

TURN = 10**12
"""The clock in the bar's counter: microseconds, the last twelve digits."""

CODE = f"""
import sys, time
next_line = time.perf_counter()
for _ in range(int(sys.argv[1])):
    next_line += 0.001
    while (rest := next_line - time.perf_counter()) > 0:
        time.sleep(rest)
    sys.stderr.write(f"\\r{{int(time.time() * 1e6) % {TURN}}}it [00:00, 9.98it/s]\\n")
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """1,000 lines a second."""
    late: list[float] = []

    def seen(now: Progress) -> None:
        late.append(_age(now.current))

    lines = 2_000 if quick else 10_000
    _, made = run_script(folder, script(folder, CODE, str(lines)), progress=seen)
    different = len(set(made.log.read_bytes().split(b"\n"))) - 1  # two lines of one microsecond are one progress
    bare = _bare(folder, lines)
    yield Row("lines that never arrived", different - len(late), "", 0)
    for name, share, limit in (("p50", 0.5, None), ("p99", 0.99, 20), ("worst", 1, None)):
        anchor = f"{told(quantile(bare, share), 'ms')}, readline on a pipe"
        yield Row(f"latency of a line at 1,000 lines/s, {name}", quantile(late, share), "ms", limit, anchor)


def _bare(folder: Path, lines: int) -> list[float]:
    """The same script's lines, read in a loop that does nothing else."""
    late: list[float] = []
    with subprocess.Popen(script(folder, CODE, str(lines)), stderr=subprocess.PIPE) as child:
        assert child.stderr
        for line in child.stderr:
            late.append(_age(int(line.split(b"it")[0])))
    return late


def _age(printed: int) -> float:
    """Milliseconds since a bar's counter was printed."""
    return (int(time.time() * 1e6) - printed) % TURN / 1000
