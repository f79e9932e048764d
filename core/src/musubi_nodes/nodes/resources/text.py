"""The Resource Monitor's numbers as lines of text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import fmean

from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.nodes.resources.facts import SELF, Facts, gib
from musubi_nodes.runs.hardware.cards import Card
from musubi_nodes.runs.record.progress import clock


def told(facts: Facts) -> str:
    """GPUs, CPU, memory, disks, and the record of the chosen run."""
    return "\n".join([*_gpus(facts), *_machine(facts), *_record(facts)])


def figures(card: Card) -> str:
    """``use 97 %, 71 °C, 350 of 450 W``: what the driver tells beside memory."""
    power = None if card.power is None else f"{card.power:.0f} W"
    if power and card.power_limit:
        power = f"{card.power:.0f} of {card.power_limit:.0f} W"
    found = (
        None if card.use is None else f"use {card.use} %",
        None if card.temperature is None else f"{card.temperature} °C",
        power,
    )
    return ", ".join(filter(None, found))


def memory(card: Card) -> str:
    """``18.2 of 24.0 GiB``."""
    return "not told by the driver" if card.total is None else f"{gib(card.used)} of {gib(card.total)} GiB"


def _gpus(facts: Facts) -> Iterator[str]:
    if facts.refusal:
        yield f"no NVIDIA GPU answers ({facts.refusal}); GPUs of other makers are not read"
    elif not facts.cards:
        yield "the NVIDIA driver answers, and has no GPU"
    for card in facts.cards:
        yield f"GPU {card.number}: {card.name}"
        yield f"- memory {memory(card)}" + (f", {shown}" if (shown := figures(card)) else "")
        for holder in facts.holders(card):
            yield f"- {holder.name}: {'not told' if holder.bytes is None else gib(holder.bytes) + ' GiB'}"
        if missing := _missing(card):
            yield f"- not told by the driver: {', '.join(missing)}"


def _missing(card: Card) -> list[str]:
    """What a card keeps to itself."""
    told = {"use": card.use, "temperature": card.temperature, "power": card.power}
    who = card.held is not None and None not in card.held.values()
    return [name for name, value in told.items() if value is None] + ([] if who else ["who holds how much memory"])


def _machine(facts: Facts) -> Iterator[str]:
    now = facts.machine
    over = f", {facts.cpu:.0f} % on average over {facts.moments[-1].at:g} s" if len(facts.moments) > 1 else ""
    yield f"CPU {now.cpu:.0f} % of {os.cpu_count()} cores{over}"
    yield f"RAM {gib(now.ram_used)} of {gib(now.ram_total)} GiB"
    yield f"- {SELF}: {facts.own_ram / GIB:.2f} GiB"
    yield from (f"- {run.name} ({run.stage}): {run.ram / GIB:.2f} GiB" for run in facts.runs)
    if now.swap_total:
        yield f"swap {gib(now.swap_used)} of {gib(now.swap_total)} GiB"
    yield from (f"disk of {disk.folder}: {gib(disk.free)} of {gib(disk.total)} GiB free" for disk in facts.disks)


def _record(facts: Facts) -> Iterator[str]:
    """What the chosen run took while it ran."""
    if facts.record is None:
        return
    if not facts.rows:
        yield f"{facts.record.name}: nothing was recorded of its memory"
        return
    times = [row["time"] for row in facts.rows if "time" in row]
    yield f"{facts.record.name}: recorded over {clock(max(times) - min(times)) if times else '?'}"
    for name, key, total in (("GPU memory", "gpu_used", "gpu_total"), ("RAM", "ram_used", "ram_total")):
        if rows := [row for row in facts.rows if key in row]:
            most = max(rows, key=lambda row: row[key])
            yield f"- {name} at most {gib(most[key])} of {gib(most.get(total))} GiB"
    if own := [row["gpu_own"] for row in facts.rows if "gpu_own" in row]:
        yield f"- the run's own GPU memory at most {gib(max(own))} GiB"
    if uses := [row["gpu_use"] for row in facts.rows if "gpu_use" in row]:
        yield f"- GPU use {fmean(uses):.0f} % on average"
