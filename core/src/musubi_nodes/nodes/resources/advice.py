"""Advice from measurements, as a table of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from musubi_nodes.i18n import translate
from musubi_nodes.nodes.resources.facts import Facts
from musubi_nodes.nodes.resources.on_card import OnCard
from musubi_nodes.nodes.resources.on_machine import OnDisk, OnMachine
from musubi_nodes.nodes.resources.on_record import OnRecord
from musubi_nodes.runs.record.folder import RunFolder

NOTHING = "Nothing stands out."
FULL, BRIM = 0.9, 0.97
"""Shares of a nearly full and a full memory."""


@dataclass(frozen=True)
class Rule:
    """A condition on a view, and a text formatted with that view."""

    when: Callable[[Any], bool]
    text: str


CARD = (
    Rule(
        lambda gpu: gpu.share >= FULL and gpu.foreign_gib >= 0.5,
        "{0.gpu} is nearly full ({0.memory}), {0.foreign_gib:.1f} GiB of it by programs that have nothing to do with "
        "it: {0.programs}. Close them before you train or generate.",
    ),
    Rule(
        lambda gpu: gpu.share >= FULL and gpu.untold,
        "{0.gpu} is nearly full ({0.memory}); the driver does not report memory per program (usual on Windows). These "
        "programs use it: {0.programs}. Task Manager shows it: Details, column Dedicated GPU memory.",
    ),
    Rule(
        lambda gpu: gpu.own_gib >= 1,
        "ComfyUI itself holds {0.own_gib:.1f} GiB of {0.gpu}. A run unloads ComfyUI's models before it starts; to have "
        "the memory at once: Edit > Unload Models.",
    ),
    Rule(
        lambda gpu: gpu.lacks and not gpu.runs,
        "{0.free:.1f} GiB are free on {0.gpu}, but mode {0.mode} GB of the Memory Optimizer needs nearly all of it. "
        "{0.fitting}",
    ),
    Rule(
        lambda gpu: gpu.share >= BRIM and bool(gpu.runs),
        "{0.gpu} is full ({0.memory}) while {0.runs} runs. If it crawls or ends with 'out of memory': mode auto of the "
        "Memory Optimizer, more blocks_to_swap, or fewer frames.",
    ),
    Rule(
        lambda gpu: bool(gpu.card.hot),
        "{0.gpu} slows itself down because it is too hot ({0.card.temperature} °C). Clean its fans or raise their "
        "speed, or lower its power limit.",
    ),
    Rule(
        lambda gpu: gpu.starves and gpu.facts.cpu_is_busy,
        "{0.gpu} is only {0.use:.0f} % busy while {0.runs} trains, and the CPU {0.facts.cpu:.0f} %: the CPU slows it "
        "down. Close programs that compute.",
    ),
    Rule(
        lambda gpu: gpu.starves and not gpu.facts.cpu_is_busy,
        "{0.gpu} is only {0.use:.0f} % busy while {0.runs} trains: it waits for data or swapped blocks. Raise "
        "max_data_loader_n_workers (Training Config), or lower blocks_to_swap.",
    ),
    Rule(
        lambda gpu: gpu.idle and bool(gpu.busy_elsewhere),
        "{0.gpu} is idle: {0.busy_elsewhere}. Choose it as `device` of another trainer or generator.",
    ),
)
MACHINE = (
    Rule(
        lambda ram: ram.share >= FULL and bool(ram.facts.runs),
        "RAM is nearly full ({0.ram}). Runs hold: {0.runs}. Swapped blocks wait there, so lower blocks_to_swap or "
        "max_data_loader_n_workers, or close programs: {0.programs}.",
    ),
    Rule(
        lambda ram: ram.share >= FULL and not ram.facts.runs,
        "RAM is nearly full ({0.ram}). The largest programs: {0.programs}. Close what you do not need: blocks_to_swap "
        "and loading models need much of it; 64 GB in total are recommended.",
    ),
    Rule(
        lambda ram: ram.share >= 0.85 and ram.swap_share >= 0.5,
        "The system has moved {0.swap} of swap to disk, which is very slow: free main memory.",
    ),
)
DISK = (
    Rule(
        lambda disk: disk.nearly_full and bool(disk.largest),
        "{0.free:.1f} GiB are left on the disk of {0.folder}. The largest of ours there: {0.largest}. Delete old runs "
        "and caches of datasets that you do not train any more.",
    ),
    Rule(
        lambda disk: disk.nearly_full and not disk.largest,
        "{0.free:.1f} GiB are left on the disk of {0.folder}, and hardly any of it is ours. Free some space there.",
    ),
)
RECORD = (
    Rule(
        lambda run: run.over and run.gpu_share >= BRIM,
        "The GPU was full ({0.gpu}) while {0.name} ran. If it was slow or ran out of memory: mode auto of the Memory "
        "Optimizer, more blocks_to_swap, or fewer frames.",
    ),
    Rule(
        lambda run: 0 < run.gpu_share <= 0.6 and run.swapped > 0,
        "{0.name} used at most {0.gpu} of the GPU: with fewer than {0.swapped} blocks_to_swap it is faster.",
    ),
    Rule(
        lambda run: run.use is not None and run.use < 30,
        "The GPU was only {0.use:.0f} % busy while {0.name} trained: it waited for data or swapped blocks. Raise "
        "max_data_loader_n_workers (Training Config), or lower blocks_to_swap.",
    ),
    Rule(
        lambda run: run.over and run.ram_share >= 0.95,
        "RAM was full ({0.ram}) while {0.name} ran: lower blocks_to_swap or max_data_loader_n_workers.",
    ),
)


def advice(facts: Facts) -> list[str]:
    """Return the texts of all rules that apply."""
    return list(_advice(facts)) or [translate(NOTHING)]


def _advice(facts: Facts) -> Iterator[str]:
    for card in facts.cards:
        yield from _said(CARD, OnCard(facts, card))
    yield from _said(MACHINE, OnMachine(facts))
    for disk in facts.disks:
        yield from _said(DISK, OnDisk(facts, disk))
    if facts.record and facts.rows:
        yield from _said(RECORD, OnRecord(facts, RunFolder(facts.record)))


def _said(rules: Sequence[Rule], view: object) -> Iterator[str]:
    return (translate(rule.text, view) for rule in rules if rule.when(view))
