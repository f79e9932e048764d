"""The machine over a few seconds, at equal distances."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from musubi_nodes.runs.hardware.cards import Card, cards
from musubi_nodes.runs.hardware.machine import Machine, machine

STEP = 0.5
"""Seconds between two readings: NVML's own use is an average over a sixth of a second to a second."""
FIRST = 0.2
"""Seconds over which the CPU of the first reading is taken."""


@dataclass(frozen=True)
class Moment:
    """One reading, ``at`` seconds after the first."""

    at: float
    machine: Machine
    cards: tuple[Card, ...]


def watch(
    seconds: float,
    library: Any,
    wait: Callable[[float], None],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Moment]:
    """Readings over ``seconds``, the first and the last included; one reading for 0.

    ``library`` is the initialised pynvml module or ``None``. ``wait`` sleeps for so many seconds and may raise to give
    up; ``tell`` hears how many readings are done.
    """
    machine()  # from here on the CPU is measured
    wait(FIRST)
    last = round(seconds / STEP)
    start, found = time.monotonic(), []
    for number in range(last + 1):
        wait(max(0.0, start + number * STEP - time.monotonic()))
        found.append(Moment(number * STEP, machine(), tuple(cards(library))))
        tell(number + 1, last + 1)
    return found
