"""How often a running node tells ComfyUI's page how far it is."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from musubi_nodes.hosts.comfyui.host import WIDTH, ComfyHost, rows
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


LONG = "a sentence that is longer than one line of the narrowest node"


def test_a_line_breaks_between_its_parts_only() -> None:
    text = "training 1329/10000 · epoch 333/2500 · loss 1.55 · 93.09 it/s · 1:15 left"
    seen = rows(f"{text} · {LONG}")
    lines = seen.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= WIDTH
    assert all(any(part.replace(" ", "\u00a0") in line for line in lines) for part in text.split(" · "))
    assert seen.replace("\u00a0", " ").split() == f"{text} · {LONG}".split()


def test_wide_letters_take_the_room_of_two() -> None:
    seen = rows("学習中 1329/10000 · エポック 333/2500 · loss 1.55 · 93.09 it/s · 残り 1:15")
    widths = [len(line) + sum(letter > "\u2e80" for letter in line) for line in seen.splitlines()]
    assert len(widths) == 2 and max(widths) <= WIDTH


def test_the_end_is_told_at_once(events: list[float]) -> None:
    host = ComfyHost()
    host.progress("5", Progress(stage="training", current=1, total=9))
    host.progress("5", Progress(stage="training", current=9, total=9))
    assert len(events) == 2 * (EVENTS_OF_A_BAR + 1)


class Interrupted(Exception):
    """ComfyUI's own, whose flag is cleared when it is raised."""


@pytest.mark.parametrize(("error", "ends"), [(TypeError, False), (RuntimeError, False), (Interrupted, True)])
def test_what_cannot_be_shown_ends_no_run_but_an_interrupt_does(
    events: list[float], monkeypatch: pytest.MonkeyPatch, error: type[Exception], ends: bool
) -> None:
    def broken(*_: object) -> None:
        raise error("the page is gone")

    management = SimpleNamespace(InterruptProcessingException=Interrupted)
    monkeypatch.setitem(sys.modules, "comfy.model_management", management)
    bar = SimpleNamespace(update_absolute=broken)
    monkeypatch.setitem(sys.modules, "comfy.utils", SimpleNamespace(ProgressBar=lambda *given, **named: bar))
    sys.modules["server"].PromptServer.instance.send_progress_text = broken
    with pytest.raises(error) if ends else nullcontext():
        ComfyHost().progress("5", Progress(stage="training", current=1, total=10))
    if not ends:
        ComfyHost().tell("5", "a line")
