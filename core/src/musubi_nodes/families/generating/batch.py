"""Many prompts from one generator: made before, or made now by one worker for each GPU."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError, OutOfGpuMemory
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.grouping import Item, groups, items_of
from musubi_nodes.families.generating.made import Made
from musubi_nodes.families.generating.workers import side_by_side
from musubi_nodes.families.prompts import Prompt, Prompts
from musubi_nodes.families.records import Records
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sockets import Run
from musubi_nodes.runs.hardware.devices import gpus
from musubi_nodes.runs.install import Install

if TYPE_CHECKING:
    from musubi_nodes.families.generating.generator import VideoGenerator


ONE = Prompts(items=(Prompt(),))


@dataclass(frozen=True)
class Generated:
    """What came of a generator's prompts; ``last`` is the last run (``None``: all were made before)."""

    made: list[Made]
    told: str
    last: Run | None
    complete: bool


def generate_all(node: VideoGenerator, inputs: Any, context: Context) -> Generated:
    """The generator's prompt, or all of its prompts socket; those made before are handed on."""
    started, runs = time.monotonic(), []
    several = inputs.prompts is not None
    items = items_of(inputs, node.prompt_fields, node.title) if several else [Item(1, Prompt(), inputs)]
    install = context.services.install(node.install_name(inputs))
    items = [_named(node, item, context, install) for item in items]
    batch = Batch(inputs.prompts or ONE, Records(context.host.output_folder, "generated"))
    batch.made = {item.number: Made.of(files) for item in items if (files := batch.records.find(item.key))}
    before = len(batch.made)
    left = [item for item in items if item.number not in batch.made]
    devices = _devices(inputs, install, len(left))
    per_start = min(batch.prompts.per_start, max(-(-len(left) // len(devices)), 1))
    batch.waiting.extend(groups(left, node.lines, per_start))

    def work(number: int, own: Context) -> None:
        def generate(group: list[Item]) -> list[tuple[Item, Made]]:
            group = [_saving(node, item, install, batch.memory) for item in group]
            used = [group[0].inputs.memory]

            def attempt(inputs: Any) -> tuple[dict[int, Made], Run]:
                used.append(inputs.memory)
                return node.generate([replace(group[0], inputs=inputs), *group[1:]], own, install, devices[number])

            made, run = node.with_memory(group[0].inputs, own, attempt)
            runs.append(run)
            if used[-1] != used[0]:
                batch.memory = used[-1]
            done = [_saving(node, item, install, used[-1]) for item in group if item.number in made]
            return [(item, made[item.number]) for item in done]

        batch.work(generate)

    if len(devices) > 1:
        side_by_side(context, devices, work)
    else:
        work(0, context)
    results, seconds = batch.results(), time.monotonic() - started
    how = f"in {seconds:.0f} s" if runs else "was made before"
    told = batch.report(seconds, before) if several else _names(results, context, how)
    return Generated(results, told, runs[-1] if runs else None, not batch.failed)


def _devices(inputs: Any, install: Install, prompts: int) -> list[str]:
    """One device for each worker; a :class:`MusubiError` where there are not so many GPUs."""
    count = min(inputs.prompts.workers, prompts) if inputs.prompts else 1
    if count < 2 or inputs.device == "cpu":
        return [str(inputs.device)]
    first = 0 if inputs.device == "auto" else int(inputs.device.removeprefix("cuda:"))
    if not install.cpu:
        gpus(f"cuda:{first}", count, {**os.environ, **install.environment})
    return [f"cuda:{first + number}" for number in range(count)]


def _names(results: Sequence[Made], context: Context, how: str) -> str:
    return f"{', '.join(made.told(context.host.output_folder) for made in results)} {how}"


def _saving(node: VideoGenerator, item: Item, install: Install, memory: Memory | None) -> Item:
    """The item with the plan that a retry found to fit, and the key of what it makes then."""
    if memory is None or memory == item.inputs.memory:
        return item
    inputs = item.inputs.model_copy(update={"memory": memory})
    return replace(item, inputs=inputs, key=node.key(inputs, install, {"save_path": "/"}))


def _named(node: VideoGenerator, item: Item, context: Context, install: Install) -> Item:
    """The item with all its checks passed, and a key that names what it makes."""
    context.raise_if_interrupted()
    try:
        node.ready(item.inputs, context)
        key = node.key(item.inputs, install, {"save_path": "/"})
    except MusubiError as error:
        if not item.prompt.prompt:
            raise  # the generator's own prompt
        raise MusubiError(f"{item.name}: {error.what}", why=error.why, fix=error.fix) from error
    return replace(item, key=key)


@dataclass
class Batch:
    """The state of a batch while it runs; workers take groups from it."""

    prompts: Prompts
    records: Records
    waiting: deque[list[Item]] = field(default_factory=deque)
    made: dict[int, Made] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    last_error: MusubiError | None = None
    memory: Memory | None = None
    """The stronger plan that a retry found to fit; the groups after it begin with it."""
    _lock: Lock = field(default_factory=Lock)

    def work(self, generate: Callable[[list[Item]], Sequence[tuple[Item, Made]]]) -> None:
        """Take groups until none is left. A group that fails is tried again prompt by prompt, but for GPU memory, which
        a single prompt would lack as well; a single prompt that fails is reported and the others go on."""
        while group := self._take():
            error = None
            try:
                self._note(generate(group))
            except MusubiError as caught:
                error = caught
            left = [item for item in group if item.number not in self.made]
            with self._lock:
                if len(group) > 1 and not isinstance(error, OutOfGpuMemory):
                    self.waiting.extendleft([item] for item in reversed(left))
                else:
                    for item in left:
                        self._fail(item, error or MusubiError("musubi-tuner wrote nothing for it"))

    def _take(self) -> list[Item]:
        with self._lock:
            return self.waiting.popleft() if self.waiting else []

    def _note(self, done: Sequence[tuple[Item, Made]]) -> None:
        with self._lock:
            for item, made in done:
                self.made[item.number] = made
                self.records.keep(item.key, made.files())

    def _fail(self, item: Item, error: MusubiError) -> None:
        self.failed[item.number] = f"{item.name}: {error.what}"
        self.last_error = error
        if self.prompts.strict:
            self.waiting.clear()

    def results(self) -> list[Made]:
        """What was made, in the order of the prompts; the error of the last one if all failed, or one if strict."""
        if self.last_error and (self.prompts.strict or not self.made):
            raise self.last_error
        return [self.made[number] for number in sorted(self.made)]

    def report(self, seconds: float, before: int) -> str:
        """How many were made, how many of them before, and why the others were not."""
        handed_on = f", {before} of them before" if before else ""
        lines = [f"{len(self.made)} of {len(self.prompts.items)} prompts made in {seconds:.0f} s{handed_on}"]
        return "\n".join([*lines, *(self.failed[number] for number in sorted(self.failed))])
