"""A script that prints 1 GB: the log is whole, the host's memory stays flat."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from bench.common import Row, run_script, script, told

CODE = """
import hashlib, sys
block = b"".join(b"line %d: INFO of a very talkative script, 100 bytes or so in each line, and never an end\\r" % n
                 for n in range(10_000))
wanted, size, digest = int(sys.argv[1]), 0, hashlib.sha256()
while size < wanted:
    sys.stdout.buffer.write(block)
    digest.update(block)
    size += len(block)
open(sys.argv[2], "w").write(f"{size} {digest.hexdigest()}")
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """The memory is looked at five times a second."""
    process, summary, peak = psutil.Process(), folder / "summary", 0

    def look() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    run_script(folder, script(folder, CODE, "1000", str(summary)), look=look)
    before, peak = process.memory_info().rss, 0
    start = time.perf_counter()
    wanted = 20_000_000 if quick else 1_000_000_000
    _, made = run_script(folder, script(folder, CODE, str(wanted), str(summary)), look=look)
    seconds = time.perf_counter() - start
    size, digest = summary.read_text().split()
    logged = hashlib.sha256()
    with made.log.open("rb") as log:
        for block in iter(lambda: log.read(1 << 20), b""):
            logged.update(block)
    whole = logged.hexdigest() == digest
    made.log.unlink()
    anchor = f"{told(_into_a_file(folder, wanted), 's')}, into a file"
    yield Row(f"{int(size) // 1_000_000} MB of output", seconds, "s", anchor=anchor)
    yield Row("bytes of it that are missing or wrong in the log", 0 if whole else 1, "", 0)
    yield Row("growth of the host's memory meanwhile", (peak - before) / 1e6, "MB", 20)


def _into_a_file(folder: Path, wanted: int) -> float:
    """Seconds of the same script when its output goes straight into a file."""
    start = time.perf_counter()
    with (folder / "bare.log").open("wb") as log:
        subprocess.run(script(folder, CODE, str(wanted), str(folder / "summary")), stdout=log, check=True)
    return time.perf_counter() - start
