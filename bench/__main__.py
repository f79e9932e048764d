"""``python -m bench [--quick] [NAME...]``: measures, prints one table, fails where a promise is broken."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import batch, flood, imports, interrupt, latency, overhead, queue, rerun, scan, soak, video
from bench.common import Row, told
from bench.machine import machine

MEASURES = (overhead, latency, flood, interrupt, soak, imports, rerun, batch, video, scan, queue)
LINE = "| {:<55} | {:>11} | {:>36} | {:>8} |"
ALL = {module.__name__.rpartition(".")[2]: module for module in MEASURES}


def main() -> int:
    """The number of broken promises is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures what this project promises.")
    parser.add_argument("--quick", action="store_true", help="shorter commands and fewer repetitions")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(ALL)}")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in ALL]:
        parser.error(f"there is no measure {', '.join(unknown)}; there are {', '.join(ALL)}")
    print(f"{machine()}\n")
    print(LINE.format("measure", "result", "anchor", "limit"))
    print(f"|{'-' * 57}|{'-' * 12}:|{'-' * 37}:|{'-' * 9}:|")
    rows = [row for name in options.names or ALL for row in _measure(name, options.quick)]
    broken = [row for row in rows if not row.kept]
    for row in broken:
        print(f"\nOVER THE LIMIT: {row.measure}", file=sys.stderr)
    return len(broken)


def _measure(name: str, quick: bool) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="musubi-bench-") as folder:
        for row in ALL[name].measure(Path(folder), quick):
            limit = "" if row.limit is None else told(row.limit, row.unit)
            print(LINE.format(row.measure, told(row.value, row.unit), row.anchor, limit), flush=True)
            rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
