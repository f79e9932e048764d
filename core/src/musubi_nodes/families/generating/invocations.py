"""Invocations of a generator's script, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.batching import Item
from musubi_nodes.families.generating.execution import Execution
from musubi_nodes.families.generating.inputs import GeneratorInputs
from musubi_nodes.families.generating.state import Batch
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sockets import Run

if TYPE_CHECKING:
    from musubi_nodes.families.generating.generator import Generator


@dataclass
class Invocations:
    """Invocations of one batch; ``runs`` are the finished ones.

    ``memory`` is the plan that a retry found to fit, for all further invocations.
    """

    node: Generator
    batch: Batch
    runs: list[Run] = field(default_factory=list)
    memory: Memory | None = None

    def work(self, context: Context, device: str) -> None:
        """Take groups until none is left; a failure doesn't stop the others."""
        while group := self.batch.take():
            error = None
            try:
                self._start(group, context, device)
            except MusubiError as caught:
                error = caught
            self.batch.settle(group, error)

    def _start(self, group: Sequence[Item], context: Context, device: str) -> None:
        first = self._saving(group[0], self.memory, context).inputs

        def attempt(inputs: GeneratorInputs) -> None:
            items = [self._saving(item, inputs.memory, context) for item in self.batch.left(group)]
            self.runs.append(Execution(self.node, items, context, device).run(self.batch.keep))
            if inputs.memory != first.memory:
                self.memory = inputs.memory

        self.node.with_memory(first, context, attempt)

    def _saving(self, item: Item, memory: Memory | None, context: Context) -> Item:
        """Return the item with these memory settings and their plan."""
        if memory is None or memory == item.inputs.memory:
            return item
        inputs = item.inputs.model_copy(update={"memory": memory})
        return replace(item, inputs=inputs).planned(self.node.plan(inputs, context))
