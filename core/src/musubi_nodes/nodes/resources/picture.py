"""Picture of the measurements: bars and curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from musubi_nodes.i18n import translating
from musubi_nodes.media.bars import Bar, Part, bars, stacked
from musubi_nodes.media.plot import Curve, Points, Scale, plot
from musubi_nodes.nodes.resources.facts import OTHERS, PERCENT, RUNS, SELF, Facts, gib_of, percent
from musubi_nodes.nodes.resources.record import record_plot
from musubi_nodes.nodes.resources.text import figures, memory
from musubi_nodes.runs.hardware.cards import Card
from musubi_nodes.runs.hardware.machine import Machine

CURVES = 6
"""Curves per plot: there are six colors."""


def picture(facts: Facts, size: tuple[int, int]) -> Any:
    """Draw a PIL image, in English: every font has its letters."""
    with translating(str):
        return _picture(facts, size)


def _picture(facts: Facts, size: tuple[int, int]) -> Any:
    title = "now" if facts.cards else "now (no NVIDIA GPU answers)"
    parts = [bars(list(_bars(facts)), (RUNS, SELF, OTHERS), size[0], title, max(11, min(size) // 24))]
    if len(facts.moments) > 1:
        curves = list(_watched(facts))
        over = f"the last {facts.moments[-1].at:g} seconds"
        scale = Scale(" s", " %", PERCENT)
        parts += [plot(curves[at : at + CURVES], size, over, scale=scale) for at in range(0, len(curves), CURVES)]
    if facts.record and facts.rows:
        parts.append(record_plot(facts, size))
    return stacked(parts)


def _bars(facts: Facts) -> Iterator[Bar]:
    for card in facts.cards:
        told = ", ".join(filter(None, (memory(card), figures(card))))
        yield Bar(f"GPU {card.number} {card.name}", told, _held(facts, card))
    now = facts.machine
    if now.cpu is not None:
        yield Bar("CPU", f"{now.cpu:.0f} %", [Part(OTHERS, now.cpu / 100)])
    by_kind = {RUNS: sum(run.ram for run in facts.runs), SELF: facts.own_ram}
    told = gib_of(now.ram_used, now.ram_total)
    yield Bar("RAM", told, _parts(by_kind, now.ram_used, now.ram_total))
    if now.swap_total and now.swap_used is not None:
        told = gib_of(now.swap_used, now.swap_total)
        yield Bar("swap", told, [Part(OTHERS, now.swap_used / now.swap_total)])
    for disk in facts.disks:
        told = f"{gib_of(disk.free, disk.total)} free"
        yield Bar(f"disk of {disk.folder}", told, [Part(OTHERS, 1 - disk.free / disk.total)])


def _held(facts: Facts, card: Card) -> list[Part]:
    if not card.total or card.used is None:
        return []
    found = facts.holders(card)
    by_kind = {kind: sum(each.bytes or 0 for each in found if each.kind == kind) for kind in (RUNS, SELF)}
    return _parts(by_kind, card.used, card.total)


def _parts(by_kind: Mapping[str, int], used: int, total: int) -> list[Part]:
    rest = max(0, used - sum(by_kind.values()))
    return [Part(kind, held / total) for kind, held in {**by_kind, OTHERS: rest}.items()]


def _watched(facts: Facts) -> Iterator[Curve]:
    yield _curve("CPU", [(moment.at, moment.machine.cpu) for moment in facts.moments])
    yield _curve("RAM", [(moment.at, _ram(moment.machine)) for moment in facts.moments])
    for card in facts.cards:
        yield _curve(f"GPU {card.number} memory", _of(facts, card, lambda each: percent(each.used, each.total)))
        yield _curve(f"GPU {card.number} use", _of(facts, card, lambda each: each.use))


def _of(facts: Facts, card: Card, figure: Callable[[Card], float | None]) -> Points:
    return [(m.at, figure(each)) for m in facts.moments for each in m.cards if each.number == card.number]


def _curve(name: str, points: Points) -> Curve:
    last = next((value for _, value in reversed(points) if value is not None), None)
    return Curve(name if last is None else f"{name}, {last:.0f} %", [], points)


def _ram(machine: Machine) -> float | None:
    return percent(machine.ram_used, machine.ram_total)
