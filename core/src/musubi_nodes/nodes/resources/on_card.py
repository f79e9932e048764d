"""Values for the advice on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.families.memory.plans import CARD_SIZES
from musubi_nodes.i18n import translate
from musubi_nodes.nodes.memory import DESKTOP
from musubi_nodes.nodes.resources.facts import OTHERS, SELF, Facts, Holder, gib
from musubi_nodes.nodes.resources.text import memory
from musubi_nodes.runs.hardware.cards import Card

NAMED = 3


@dataclass(frozen=True)
class OnCard:
    facts: Facts
    card: Card

    @property
    def gpu(self) -> str:
        return f"GPU {self.card.number}"

    @property
    def memory(self) -> str:
        return memory(self.card)

    @property
    def share(self) -> float:
        """Used share of its memory, 0 if unknown."""
        return self.card.used / self.card.total if self.card.total and self.card.used is not None else 0.0

    @property
    def free(self) -> float:
        return (self.card.free or 0) / GIB

    @cached_property
    def holders(self) -> Sequence[Holder]:
        return self.facts.holders(self.card)

    @property
    def foreign(self) -> Sequence[Holder]:
        return [each for each in self.holders if each.kind == OTHERS and each.seen]

    @property
    def foreign_gib(self) -> float:
        return sum(each.bytes or 0 for each in self.foreign) / GIB

    @property
    def programs(self) -> str:
        shown = [each.name + ("" if each.bytes is None else f" {gib(each.bytes)} GiB") for each in self.foreign[:NAMED]]
        return ", ".join(shown)

    @property
    def untold(self) -> bool:
        """Whether the driver lists programs without their memory."""
        return bool(self.foreign) and all(each.bytes is None for each in self.foreign)

    @property
    def own_gib(self) -> float:
        return sum(each.bytes or 0 for each in self.holders if each.kind == SELF) / GIB

    @property
    def runs(self) -> str:
        return ", ".join(run.name for run in self.facts.runs_on(self.card))

    @property
    def mode(self) -> int:
        """Memory Optimizer mode for this card; 0 if too small."""
        total = (self.card.total or 0) / GIB
        return max((size for size in CARD_SIZES if size <= total + DESKTOP), default=0)

    @property
    def fitting(self) -> str:
        sizes = [size for size in CARD_SIZES if size - DESKTOP <= self.free]
        if not sizes:
            return translate("No mode fits into that little: free some memory first.")
        return translate("Use mode auto or {size} GB.", size=max(sizes))

    @property
    def lacks(self) -> bool:
        """Whether clearly less is free than the card's mode plans for."""
        return self.card.free is not None and self.free + self.own_gib < self.mode - 2 * DESKTOP

    @cached_property
    def use(self) -> float | None:
        """Average percentage; ``None`` with too few readings."""
        uses = self.facts.uses(self.card)
        return fmean(uses) if len(uses) >= 5 else None

    @property
    def starves(self) -> bool:
        trains = any(run.stage == "training" for run in self.facts.runs_on(self.card))
        return trains and self.use is not None and self.use < 30

    @property
    def idle(self) -> bool:
        return self.use is not None and self.use < 5 and self.share < 0.1 and not self.runs

    @property
    def busy_elsewhere(self) -> str:
        others = (OnCard(self.facts, card) for card in self.facts.cards if card.number != self.card.number)
        return ", ".join(translate("{runs} on {gpu}", runs=each.runs, gpu=each.gpu) for each in others if each.runs)
