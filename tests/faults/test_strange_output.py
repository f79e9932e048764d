"""The script prints what no log was made for, and works."""

from __future__ import annotations

import gc
import os
from typing import Any

import psutil
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
    place.train("faulty")  # the first flood warms everything up
    gc.collect()
    before = psutil.Process(os.getpid()).memory_info().rss
    assert place.train("faulty", train_again=True).lora
    assert psutil.Process(os.getpid()).memory_info().rss - before < MEGABYTES * 1e6 / 2
    assert place.newest.log.stat().st_size > MEGABYTES * 1e6 * 0.9
    place.survived()


@pytest.mark.skipif(os.name == "nt", reason="forks are POSIX")
def test_a_daemon_is_gone_when_the_run_has_ended(faulty: Any) -> None:
    place = faulty("daemon")
    assert place.train("faulty").lora
    place.survived()
