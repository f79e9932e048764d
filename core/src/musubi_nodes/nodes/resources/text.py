"""Measurements as text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import fmean

from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.i18n import translate
from musubi_nodes.nodes.resources.facts import Facts, gib, gib_of, own_name
from musubi_nodes.runs.hardware.cards import Card
from musubi_nodes.runs.record.progress import clock


def summary(facts: Facts) -> str:
    return "\n".join([*_gpus(facts), *_machine(facts), *_record(facts)])


def figures(card: Card) -> str:
    """Format as ``use 97 %, 71 °C, 350 of 450 W``."""
    power = None if card.power is None else f"{card.power:.0f} W"
    if power and card.power_limit:
        power = translate("{power:.0f} of {limit:.0f} W", power=card.power, limit=card.power_limit)
    found = (
        None if card.use is None else translate("use {use} %", use=card.use),
        None if card.temperature is None else f"{card.temperature} °C",
        power,
    )
    return ", ".join(filter(None, found))


def memory(card: Card) -> str:
    """Format as ``18.2 of 24.0 GiB``."""
    return translate("not reported by the driver") if card.total is None else gib_of(card.used, card.total)


def _gpus(facts: Facts) -> Iterator[str]:
    if facts.refusal:
        yield translate("no NVIDIA GPU answers ({why}); GPUs of other makers are not read", why=facts.refusal)
    elif not facts.cards:
        yield translate("the NVIDIA driver answers, and has no GPU")
    for card in facts.cards:
        yield f"GPU {card.number}: {card.name}"
        yield f"- {', '.join(filter(None, [translate('memory {memory}', memory=memory(card)), figures(card)]))}"
        for holder in facts.holders(card):
            held = translate("not reported") if holder.bytes is None else f"{gib(holder.bytes)} GiB"
            yield f"- {holder.name}: {held}"
        if missing := _missing(card):
            yield "- " + translate("not reported by the driver: {names}", names=", ".join(missing))


def _missing(card: Card) -> list[str]:
    told = (
        (translate("use"), card.use),
        (translate("temperature"), card.temperature),
        (translate("power"), card.power),
    )
    who = card.held is not None and None not in card.held.values()
    return [name for name, value in told if value is None] + ([] if who else [translate("memory per program")])


def _machine(facts: Facts) -> Iterator[str]:
    now = facts.machine
    cpu = [] if now.cpu is None else [translate("CPU {use:.0f} % of {cores} cores", use=now.cpu, cores=os.cpu_count())]
    if len(facts.moments) > 1 and facts.cpu is not None:
        cpu.append(translate("{use:.0f} % on average over {seconds:g} s", use=facts.cpu, seconds=facts.moments[-1].at))
    if cpu:
        yield ", ".join(cpu)
    yield f"RAM {gib_of(now.ram_used, now.ram_total)}"
    yield f"- {own_name()}: {facts.own_ram / GIB:.2f} GiB"
    yield from (f"- {run.name} ({translate(run.stage)}): {run.ram / GIB:.2f} GiB" for run in facts.runs)
    if now.swap_total:
        yield translate("swap {memory}", memory=gib_of(now.swap_used, now.swap_total))
    for disk in facts.disks:
        yield translate("disk of {folder}: {space} free", folder=disk.folder, space=gib_of(disk.free, disk.total))


def _record(facts: Facts) -> Iterator[str]:
    if facts.record is None:
        return
    if not facts.rows:
        yield translate("{name}: nothing was recorded of its memory", name=facts.record.name)
        return
    times = [row["time"] for row in facts.rows if "time" in row]
    over = clock(max(times) - min(times)) if times else "?"
    yield translate("{name}: recorded over {time}", name=facts.record.name, time=over)
    if most := _most(facts, "gpu_used", "gpu_total"):
        yield "- " + translate("GPU memory at most {memory}", memory=most)
    if most := _most(facts, "ram_used", "ram_total"):
        yield "- " + translate("RAM at most {memory}", memory=most)
    if own := [row["gpu_own"] for row in facts.rows if "gpu_own" in row]:
        yield "- " + translate("the run's own GPU memory at most {gib} GiB", gib=gib(max(own)))
    if uses := [row["gpu_use"] for row in facts.rows if "gpu_use" in row]:
        yield "- " + translate("GPU use {use:.0f} % on average", use=fmean(uses))


def _most(facts: Facts, used: str, total: str) -> str:
    most = max((row for row in facts.rows if used in row), key=lambda row: row[used], default=None)
    return gib_of(most[used], most.get(total)) if most else ""
