"""Readings of the machine over a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from musubi_nodes.runs.hardware.cards import Card, cards
from musubi_nodes.runs.hardware.machine import Machine, machine

STEP = 0.5  # seconds; NVML averages use over up to one second
FIRST = 0.2  # seconds of the first CPU reading


@dataclass(frozen=True)
class Moment:
    at: float
    machine: Machine
    cards: tuple[Card, ...]


def watch(
    seconds: float,
    library: object,
    wait: Callable[[float], None],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Moment]:
    """Take readings over ``seconds``, both ends included.

    ``wait`` sleeps and may raise.
    """
    machine()  # starts the CPU measurement
    wait(FIRST)
    last = round(seconds / STEP)
    start, found = time.monotonic(), []
    for number in range(last + 1):
        wait(max(0.0, start + number * STEP - time.monotonic()))
        found.append(Moment(number * STEP, machine(), tuple(cards(library))))
        tell(number + 1, last + 1)
    return found
