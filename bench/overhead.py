"""How much longer a command takes under the runner than alone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.common import Row, run_script, script

CODE = """
import sys, time
steps = int(sys.argv[1])
for step in range(1, steps + 1):
    time.sleep(0.05)
    sys.stderr.write(f"\\rsteps:  33%|###       | {step}/{steps} [00:01<00:02,  9.98it/s, avr_loss=1.19]")
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """Bare and run take turns, so that a slow phase of the machine hits both."""
    command = script(folder, CODE, "40" if quick else "200")
    bare, followed = [], []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        run_script(folder, command)
        followed.append(time.perf_counter() - start)
    extra = median(followed) - median(bare)
    yield Row("the bare command", median(bare), "s")
    yield Row("run() adds", extra, "s", 0.3)
    if not quick:
        yield Row("run() adds, of the command's time", 100 * extra / median(bare), "%", 1)
