from __future__ import annotations

import os
from typing import Any

import psutil

FLOOD = """
import sys
block = b"".join(b"line %d of a very talkative script that never stops\\r" % n for n in range(20_000))
out, size = sys.stdout.buffer, 0
while size < 20_000_000:
    size += out.write({block})
open({told!r}, "w").write(str(size))
"""


def grown(runs: Any, block: str) -> int:
    """Runs a flood; the growth of this process in bytes. The first, small run warms everything up."""
    runs("print('hello')")
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    told = runs.tmp_path / "told"
    runs(FLOOD.format(block=block, told=str(told)))
    assert runs.folder.log.stat().st_size == int(told.read_text())
    return process.memory_info().rss - before


def test_a_flood_of_lines_is_logged_whole_and_fills_no_memory(runs: Any) -> None:
    assert grown(runs, "block") < 20_000_000


def test_a_flood_without_any_line_break_is_logged_whole_and_fills_no_memory(runs: Any) -> None:
    assert grown(runs, "b'x' * 1_000_000") < 20_000_000
