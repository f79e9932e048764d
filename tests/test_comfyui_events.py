"""How often a running node tells ComfyUI's page how far it is."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from musubi_nodes.hosts.comfyui.host import ComfyHost, unbroken
from musubi_nodes.runs.record.progress import Progress

EVENTS_OF_A_BAR = 2
"""``progress_state`` and ``progress`` (``hijack_progress`` of main.py, ComfyUI 0.3.64)."""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times at which the page is told something; a clock that a test may turn is behind them."""
    told: list[float] = []
    tell = SimpleNamespace(client_id="", send_progress_text=lambda *given: told.append(time.monotonic()))
    bar = SimpleNamespace(update_absolute=lambda *given: told.extend([time.monotonic()] * EVENTS_OF_A_BAR))
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=tell)))
    monkeypatch.setitem(sys.modules, "comfy", SimpleNamespace(__path__=[]))
    monkeypatch.setitem(sys.modules, "comfy.utils", SimpleNamespace(ProgressBar=lambda *given, **named: bar))
    return told


@pytest.mark.parametrize("total", [1000, 70, 1])
def test_at_most_ten_events_a_second_whatever_the_script_prints(
    events: list[float], monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    """Also where it draws one short bar after another."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    host = ComfyHost()
    for step in range(1000):
        now[0] += 0.005
        host.progress("5", Progress(stage="training", current=step % total + 1, total=total))
    assert len(events) >= 30
    assert all(len([each for each in events if start <= each < start + 1]) <= 10 for start in events)


def test_a_line_breaks_between_its_parts_only() -> None:
    seen = unbroken("training 12/80 · 1:15 left · a sentence that is longer than a line of the node")
    first, time_left, long = seen.split(" · ")
    assert " " not in first + time_left and time_left.replace("\u2060", "") == "1:15\u00a0left"
    assert len(time_left) == 2 * len("1:15 left") - 1 and long == "a sentence that is longer than a line of the node"


def test_the_end_is_told_at_once(events: list[float]) -> None:
    host = ComfyHost()
    host.progress("5", Progress(stage="training", current=1, total=9))
    host.progress("5", Progress(stage="training", current=9, total=9))
    assert len(events) == 2 * (EVENTS_OF_A_BAR + 1)
