"""The script prints what no log was made for, and works."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import pytest

MEGABYTES = 20


def test_bytes_that_are_no_text_do_no_harm(faulty: Any) -> None:
    place = faulty("garbage")
    assert place.train("faulty").lora
    assert bytes(range(256)) in place.newest.log.read_bytes()
    assert "\x1b" not in (place.newest.path / "progress.json").read_text("utf-8")
    place.survived()


def test_a_flood_of_output_fills_the_log_and_no_memory(faulty: Any) -> None:
    place = faulty(f"flood={MEGABYTES} wan_train_network.py")
    tracemalloc.start()  # `bench` measures the whole process; here other tests have left their marks in it
    try:
        assert place.train("faulty").lora
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES * 1e6
    finally:
        tracemalloc.stop()
    assert place.newest.log.stat().st_size > MEGABYTES * 1e6 * 0.9
    place.survived()


@pytest.mark.skipif(os.name == "nt", reason="forks are POSIX")
def test_a_daemon_is_gone_when_the_run_has_ended(faulty: Any) -> None:
    place = faulty("daemon")
    assert place.train("faulty").lora
    place.survived()
