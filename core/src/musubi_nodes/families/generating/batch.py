"""Runs a generator's prompts, with one worker per GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.batching import Item, groups, items_of
from musubi_nodes.families.generating.generated_files import GeneratedFiles
from musubi_nodes.families.generating.inputs import GeneratorInputs
from musubi_nodes.families.generating.invocations import Invocations
from musubi_nodes.families.generating.state import Batch
from musubi_nodes.families.generating.workers import side_by_side
from musubi_nodes.families.prompts import Prompt, Prompts
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.families.sockets import Run
from musubi_nodes.i18n import translate
from musubi_nodes.runs.hardware.devices import gpus
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import joined

if TYPE_CHECKING:
    from musubi_nodes.families.generating.generator import Generator

ONE = Prompts(items=(Prompt(),))


@dataclass(frozen=True)
class Generated:
    """Results of all prompts; ``failed`` counts missing ones, ``last`` is ``None`` if nothing ran."""

    made: list[GeneratedFiles]
    told: str
    last: Run | None
    failed: int


def generate_all(node: Generator, inputs: GeneratorInputs, context: Context) -> Generated:
    """Make the generator's prompt, or all of its prompts socket, except what is stored."""
    started = time.monotonic()
    items = [_planned(node, item, context) for item in _items(node, inputs)]
    batch = _begun(inputs.prompts or ONE, items, ResultStore(context.host.output_folder, "generated"))
    before = len(batch.made)
    runs = _work(Invocations(node, batch), batch.left(items), inputs, context)
    results, seconds = batch.results(), time.monotonic() - started
    told = batch.report(seconds, before) if inputs.prompts else _told(results, context, seconds if runs else None)
    return Generated(results, told, runs[-1] if runs else None, len(batch.failed))


def _items(node: Generator, inputs: GeneratorInputs) -> list[Item]:
    if inputs.prompts is None:
        return [Item(1, Prompt(), inputs)]
    return items_of(inputs.prompts, inputs, node.replaced(), node.title)


def _planned(node: Generator, item: Item, context: Context) -> Item:
    """Check the item and add its plan."""
    context.raise_if_interrupted()
    try:
        node.ready(item.inputs, context)
        return item.planned(node.plan(item.inputs, context))
    except MusubiError as error:
        if not item.prompt.prompt:
            raise  # the generator's own prompt
        raise error.at(item.name) from error


def _begun(prompts: Prompts, items: Iterable[Item], store: ResultStore) -> Batch:
    """Return a batch with the stored results."""
    found = {item.number: store.find(item.key) for item in items}
    return Batch(prompts, store, {number: GeneratedFiles.of(files) for number, files in found.items() if files})


def _work(starts: Invocations, left: Sequence[Item], inputs: GeneratorInputs, context: Context) -> list[Run]:
    """Make the rest on one GPU or several in parallel; return the finished runs."""
    batch, node = starts.batch, starts.node
    devices = _devices(inputs, context.services.install(node.install_name(inputs)), len(left))
    per_start = min(batch.prompts.per_start, max(-(-len(left) // len(devices)), 1))
    batch.waiting.extend(groups(left, node.lines(), per_start, node.kept_by_text))
    if len(devices) > 1:
        side_by_side(context, devices, lambda number, own: starts.work(own, devices[number]))
    else:
        starts.work(context, devices[0])
    return starts.runs


def _devices(inputs: GeneratorInputs, install: Install, prompts: int) -> list[str]:
    """Return one device per worker; MusubiError if there are too few GPUs."""
    count = min(inputs.prompts.workers, prompts) if inputs.prompts else 1
    if count < 2 or inputs.device == "cpu":
        return [str(inputs.device)]
    first = 0 if inputs.device == "auto" else int(inputs.device.removeprefix("cuda:"))
    if not install.cpu:
        gpus(f"cuda:{first}", count, joined(os.environ, install.environment))
    return [f"cuda:{first + number}" for number in range(count)]


def _told(results: Sequence[GeneratedFiles], context: Context, seconds: float | None) -> str:
    how = translate("made before") if seconds is None else translate("in {seconds:.0f} s", seconds=seconds)
    return " · ".join([*(made.told(context.host.output_folder) for made in results), how])
