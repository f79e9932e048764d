"""Execution of a plan: GPU, environment, run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.config import cache_folder
from musubi_nodes.families.context import Context
from musubi_nodes.families.plan import Plan
from musubi_nodes.runs.hardware.devices import device_queue, gpus
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment, joined
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Command, Outcome, run

if TYPE_CHECKING:
    from musubi_nodes.families.script import ScriptNode


def execute(
    node: ScriptNode,
    plan: Plan,
    context: Context,
    folder: RunFolder,
    runner_options: Mapping[str, Any],
    totals: Sequence[int | None] = (),
    accept: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Wait for the GPU, and run the plan's command in ``folder``."""
    _show("checking", context, folder)
    install = context.services.install(node.install_name(plan.inputs))
    visible = visible_gpus(node.device(plan.inputs), node.processes(plan.inputs), install)
    if not visible and (spec := plan.known.get("device")) and spec.default == "cuda":  # krea2_generate_image.py, v0.3.4
        runner_options = {**runner_options, "device": "cpu"}
    secrets = joined(context.services.config.secrets)
    launcher = node.launcher(plan.inputs, install, folder.path)
    command = Command(
        script=plan.script,
        argv=[*launcher, str(install.script(plan.script)), *plan.argv(runner_options)],
        cwd=install.root,
        environment=child_environment(install, visible, secrets),
        secrets=tuple(secrets),
        family=node.family.key,
        totals=totals,
        bar_stage=node.bar_stage,
        passes=node.passes,
        events=Path(runner_options["logging_dir"]) if "logging_dir" in runner_options else None,
    )

    def waiting() -> None:
        context.progress(Progress("waiting for the GPU"))
        context.raise_if_interrupted()

    if visible:
        folder.write_progress(Progress("waiting for the GPU"))
    with device_queue(cache_folder() / "locks", visible or (), waiting):
        if visible:
            context.host.release_models()
        explainers = context.services.explainers(node.family.key)
        return run(command, folder, context.services.executor(), context, explainers, accept)


def visible_gpus(device: str, count: int, install: Install) -> tuple[str, ...] | None:
    """Return the GPUs to use, ``None`` for an install without."""
    if install.cpu and device == "auto":
        return None
    if install.cpu and device.startswith("cuda:"):
        first = int(device.removeprefix("cuda:"))
        return tuple(str(number) for number in range(first, first + count))
    return gpus(device, count, joined(os.environ, install.environment))


def _show(stage: str, context: Context, folder: RunFolder) -> None:
    context.progress(Progress(stage))
    folder.write_progress(Progress(stage))
