"""A script that prints 200 MB: the log is whole, the host's memory stays flat."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from bench.common import Row, run_script, script

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
    process, told, peak = psutil.Process(), folder / "told", 0

    def look() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    run_script(folder, script(folder, CODE, "1000", str(told)), look=look)
    before, peak = process.memory_info().rss, 0
    start = time.perf_counter()
    wanted = 20_000_000 if quick else 200_000_000
    _, made = run_script(folder, script(folder, CODE, str(wanted), str(told)), look=look)
    seconds = time.perf_counter() - start
    size, digest = told.read_text().split()
    with made.log.open("rb") as log:
        whole = hashlib.sha256(log.read()).hexdigest() == digest
    made.log.unlink()
    yield Row(f"{int(size) // 1_000_000} MB of output", seconds, "s")
    yield Row("bytes of it that are missing or wrong in the log", 0 if whole else 1, "", 0)
    yield Row("growth of the host's memory meanwhile", (peak - before) / 1e6, "MB", 20)
