"""The node Resource Monitor."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Native, RunName, Widget
from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.script_inputs import DEVICES
from musubi_nodes.families.sockets import Run
from musubi_nodes.nodes.previews import image_of, show_picture
from musubi_nodes.nodes.resources.advice import advice
from musubi_nodes.nodes.resources.facts import gather
from musubi_nodes.nodes.resources.picture import picture
from musubi_nodes.nodes.resources.text import summary
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.hardware.devices import gpus
from musubi_nodes.runs.hardware.watching import Moment, watch
from musubi_nodes.runs.record.folder import RunFolder, run_named, trainings
from musubi_nodes.runs.record.progress import Progress

POLL = 0.1


class ResourceMonitor(Node):
    """Shows what the machine uses, watched for some seconds: memory, load, temperature and power of each NVIDIA GPU,
    who holds its memory, CPU, main memory and free disk space; and what to do if something is nearly full or idle. For
    a run it also shows what was recorded while it ran. Nothing is changed or ended."""

    id, title, category = "MusubiTuner_ResourceMonitor", "Resource Monitor", "MusubiTuner/Training"
    search = ("vram", "gpu", "memory usage", "nvidia-smi", "temperature", "使用量", "監視")
    output_node = always_runs = True

    class Inputs(NodeInputs):
        run: Run | None = Field(None, description="Also shows this run's history. Not connected: see name.")
        name: Annotated[str | None, RunName()] = Field(
            None,
            description="Also shows this training's history, by its folder in musubi/runs. newest: the running one, "
            "if there is one.",
        )
        seconds: int = Field(10, ge=0, le=300, description="How long the machine is watched. 0: only as it is now.")
        device: DEVICES = Field("auto", description="The GPU of free_memory. auto: the first one.")
        width: Annotated[int, Widget(step=32)] = Field(
            832, ge=256, le=4096, description="Width of the picture in pixels."
        )
        height: Annotated[int, Widget(step=32)] = Field(
            480, ge=192, le=4096, description="Height of each plot in pixels."
        )

    class Outputs(NodeOutputs):
        image: Annotated[Any, Native("IMAGE")] = Field(
            None,
            description="Current use as bars, and curves over time: [1, height, width, 3], values 0 to 1.",
        )
        text: str = Field(description="What to do, and all numbers.")
        free_memory: float | None = Field(
            None,
            description="Free GiB on the GPU, for the Memory Optimizer; empty if no driver reports it.",
        )

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if values.get("name") and "run" not in linked:
            run_named(context.host.output_folder, values["name"])

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        record = _record(inputs, context)
        moments, refusal = _watched(inputs.seconds, context)
        facts = gather(context.host.output_folder, moments, refusal, record)
        text = "\n".join([*advice(facts), "", summary(facts)])  # the page shows two lines before one scrolls
        context.show(text=text)
        made = picture(facts, (inputs.width, inputs.height))
        show_picture(made, f"resources_{time.time_ns()}", context)
        return self.Outputs(image=image_of(made), text=text, free_memory=_free(inputs.device))


def _record(inputs: Any, context: Context) -> RunFolder | None:
    output = context.host.output_folder
    if inputs.run:
        return RunFolder(inputs.run.folder)
    if inputs.name:
        return run_named(output, inputs.name)
    newest = next(trainings(output), None)
    return newest if newest and newest.status()["status"] == "running" else None


def _watched(seconds: int, context: Context) -> tuple[list[Moment], str]:
    """Return the readings, and why no driver answers."""

    def wait(left: float) -> None:
        until = time.monotonic() + left
        context.raise_if_interrupted()
        while (now := time.monotonic()) < until:
            time.sleep(min(POLL, until - now))
            context.raise_if_interrupted()

    def tell(done: int, total: int) -> None:
        context.progress(Progress("watching", done, total))

    with gpu.nvml() as library:
        moments = watch(seconds, library, wait, tell)
    return moments, "" if library else gpu.refusal()


def _free(device: str) -> float | None:
    try:
        names = gpus(device)
    except MusubiError:
        if device != "auto":
            raise
        return None
    facts = gpu.memory(names[0]) if names else None
    return facts[0] / GIB if facts else None
