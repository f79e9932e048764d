"""The script stands still, or does not want to go."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from musubi_nodes.runs.process import stall
from musubi_nodes.runs.record.progress import Progress

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


class Cancelled(Exception):
    """What a host raises for the user."""


def cancel_when(place: Any, ready: Callable[[Progress], bool]) -> list[Progress]:
    """The user cancels at the first progress for which ``ready`` is true; what was shown until then is returned."""
    shown: list[Progress] = []

    def progress(node_id: str, now: Progress) -> None:
        shown.append(now)

    def look() -> None:
        if shown and ready(shown[-1]):
            assert place.processes(), "nothing runs that could be cancelled"
            raise Cancelled

    place.host.progress, place.host.raise_if_interrupted = progress, look
    return shown


def at_ease(place: Any) -> Any:
    """The same place with a user who lets it run."""
    del place.host.progress, place.host.raise_if_interrupted
    return place


def test_a_script_that_hangs_is_told_and_left_alone(
    faulty: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stall, "WARN_AFTER", 1.0)
    monkeypatch.setattr(stall, "AGAIN_AFTER", 0.3)
    place = faulty("hang wan_train_network.py")
    shown = cancel_when(place, lambda now: (now.silent or 0) > 1.2)
    with caplog.at_level(logging.WARNING, "musubi_nodes"), pytest.raises(Cancelled):
        place.train("faulty")
    warnings = [record.getMessage() for record in caplog.records if "has printed nothing" in record.getMessage()]
    assert len(warnings) == 1 and str(place.newest.log) in warnings[0]
    assert "no output for 0:01" in shown[-1].text()
    assert place.newest.progress()["silent"] > 1
    assert place.newest.status()["status"] == "cancelled" and place.published() == []
    at_ease(place).survived()


def test_after_the_next_output_nothing_is_told_any_more(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "WARN_AFTER", 0.0)
    place = faulty()
    shown: list[Progress] = []
    place.host.progress = lambda node_id, now: shown.append(now)
    place.train()
    assert any(now.silent is not None for now in shown)
    assert any(before.silent is not None and after.silent is None for before, after in pairwise(shown))


def test_a_script_that_ignores_sigterm_ends_when_it_is_cancelled(faulty: Any) -> None:
    place = faulty("stubborn wan_train_network.py")
    logs = place.folder / "output" / "musubi" / "runs"
    cancel_when(place, lambda now: any(b"SIGTERM is ignored" in log.read_bytes() for log in logs.glob("*/log.txt")))
    with pytest.raises(Cancelled):
        place.train("faulty")
    assert place.processes() == []
    assert place.newest.status()["status"] == "cancelled" and place.published() == []
    at_ease(place).survived()


def test_a_daemon_ends_when_the_run_is_cancelled(faulty: Any) -> None:
    place = faulty("daemon wan_train_network.py")
    cancel_when(place, lambda now: now.stage == "training")
    with pytest.raises(Cancelled):
        place.train("faulty", training=place.run("TrainingConfig", max_train_epochs=5000).training)
    assert place.processes() == []
    at_ease(place).survived()
