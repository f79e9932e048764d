"""How much longer a command takes under the runner than alone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.common import Row, run_script, script, told

CODE = """
import sys, time
steps = int(sys.argv[1])
for step in range(1, steps + 1):
    time.sleep(0.05)
    sys.stderr.write(f"\\rsteps:  33%|###       | {step}/{steps} [00:01<00:02,  9.98it/s, avr_loss=1.19]")
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """An empty command shows the fixed cost; a training of ten seconds shows what following its output costs."""
    bare, extra = _compared(folder, script(folder, CODE, "0"), 10)
    yield Row("run() adds to an empty command", extra, "s", 0.3, f"{told(bare, 's')} alone")
    bare, extra = _compared(folder, script(folder, CODE, "40" if quick else "200"), 2 if quick else 5)
    yield Row("run() adds to a command that prints 20 bars a second", extra, "s", 0.3, f"{told(bare, 's')} alone")
    if not quick:
        yield Row("run() adds to it, of its time", 100 * extra / bare, "%", 1)


def _compared(folder: Path, command: list[str], times: int) -> tuple[float, float]:
    """Bare and run take turns, so that a slow phase of the machine hits both; medians."""
    bare, followed = [], []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        run_script(folder, command)
        followed.append(time.perf_counter() - start)
    return median(bare), median(followed) - median(bare)
