"""From the print of a line in the child to the progress callback in the host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.common import Row, quantile, run_script, script

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
        late.append((int(time.time() * 1e6) - now.current) % TURN / 1000)

    lines = 2_000 if quick else 10_000
    _, made = run_script(folder, script(folder, CODE, str(lines)), progress=seen)
    different = len(set(made.log.read_bytes().split(b"\n"))) - 1  # two lines of one microsecond are one progress
    yield Row("lines that never arrived", different - len(late), "", 0)
    yield Row("latency of a line at 1,000 lines/s, p50", quantile(late, 0.5), "ms")
    yield Row("latency of a line at 1,000 lines/s, p99", quantile(late, 0.99), "ms", 20)
    yield Row("latency of a line at 1,000 lines/s, worst", max(late), "ms")
