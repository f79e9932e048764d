"""Many runs in one program leave nothing behind in it; ``python -m bench soak`` measures 500 of them."""

from __future__ import annotations

import threading
from pathlib import Path

from bench.soak import Held, growth


def test_forty_runs_leave_no_memory_no_file_and_no_thread(tmp_path: Path) -> None:
    grown = growth(tmp_path, 40)
    assert (grown.files, grown.threads) == (0, 0)
    assert grown.memory < 5_000_000


def test_what_is_left_would_be_seen(tmp_path: Path) -> None:
    before, end = Held.now(), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    with (tmp_path / "file").open("w"):
        left = bytearray(b"x") * 20_000_000
        grown = Held.now() - before
    end.set()
    thread.join()
    assert (grown.files, grown.threads) == (1, 1)
    assert grown.memory > 10_000_000 and left
