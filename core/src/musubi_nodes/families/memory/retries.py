"""Retries with less memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from musubi_nodes.errors import MusubiError, OutOfGpuMemory, OutOfMainMemory
from musubi_nodes.families.context import Context
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate
from musubi_nodes.log import log

OUT_OF_MEMORY = (OutOfGpuMemory, OutOfMainMemory)
Step = tuple[Memory, str]
"""A stronger memory plan, and what it changes."""
T = TypeVar("T")
InputsT = TypeVar("InputsT", bound=ScriptInputs)


def with_memory(
    title: str,
    inputs: InputsT,
    context: Context,
    attempt: Callable[[InputsT], T],
    next_step: Callable[[MusubiError, InputsT], Step | None],
) -> T:
    """Call ``attempt``, with a stronger memory plan after "out of memory"."""
    retries = inputs.memory.oom_retries if inputs.memory else 0
    tried: list[str] = []
    while True:
        try:
            return attempt(inputs)
        except OUT_OF_MEMORY as error:
            step = next_step(error, inputs)
            if step is None or len(tried) == retries:
                raise _proposing(error, step, tried) from error
            memory, told = step
            tried.append(told)
            before = inputs.memory or Memory()
            now = {name: value for name, value in memory if value != getattr(before, name)}
            log.warning("%s: out of memory; again, now with %s", title, now)
            context.show(text=translate("out of memory; tried again: {plan}", plan=told))
            inputs = inputs.model_copy(update={"memory": memory})


def _proposing(error: MusubiError, step: Step | None, tried: Sequence[str]) -> MusubiError:
    if step and tried:
        fix = translate("In the Memory Optimizer set all of that, and {plan}.", plan=step[1])
    elif step:
        advice = "In the Memory Optimizer {plan}. Or set oom_retries there to try this automatically."
        fix = translate(advice, plan=step[1])
    else:
        fix = translate(
            "Use a smaller resolution, fewer frames or a lower rank: no setting of the Memory Optimizer saves more."
        )
    if isinstance(error, OutOfMainMemory):
        fix = f"{translate(error.fix)} {fix}" if step else error.fix
    why = error.why
    if tried:
        why = translate("{why} Tried without success: {plans}.", why=translate(error.why), plans="; ".join(tried))
    return error.replace(why=why, fix=fix)
