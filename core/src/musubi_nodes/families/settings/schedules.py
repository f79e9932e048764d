"""Schedulers with a fixed length, and how a resumed training keeps it.

musubi-tuner gives the scheduler the length of the run, but a state contains steps done before: linear would end at 0
early, cosine rise again (``get_lr_scheduler``, training/trainer_base.py; transformers 4.57). So a resumed run imports
the scheduler from transformers with the whole length. rex stores its length in the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from musubi_nodes.families.settings.optimizer import Optimizer
from musubi_nodes.i18n import translate


@dataclass(frozen=True)
class Curve:
    """A ``function`` of transformers; ``factor`` by share after warm-up."""

    function: str
    factor: Callable[[float, Optimizer], float]
    arguments: Callable[[Optimizer], Mapping[str, Any]] = lambda _: {}


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


def _waves(optimizer: Optimizer) -> float:
    """Return ``num_cycles`` of get_cosine_schedule_with_warmup."""
    given = optimizer.scheduler_argument("num_cycles")
    return 0.5 if given is None else float(given)


def _restarted(share: float, cycles: int) -> float:
    return 0.0 if share >= 1 else _cosine(cycles * share % 1.0)


def _least(optimizer: Optimizer) -> float:
    return optimizer.lr_scheduler_min_lr_ratio or 0.0


CURVES = {
    "linear": Curve("get_linear_schedule_with_warmup", lambda share, _: 1 - share),
    "cosine": Curve(
        "get_cosine_schedule_with_warmup",
        lambda share, optimizer: _cosine(2 * _waves(optimizer) * share),
    ),
    "cosine_with_restarts": Curve(
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        lambda share, optimizer: _restarted(share, optimizer.lr_scheduler_num_cycles),
        lambda optimizer: {"num_cycles": optimizer.lr_scheduler_num_cycles},
    ),
    "polynomial": Curve(
        "get_polynomial_decay_schedule_with_warmup",
        lambda share, optimizer: (1 - share) ** optimizer.lr_scheduler_power,
        lambda optimizer: {"power": optimizer.lr_scheduler_power},
    ),
    "cosine_with_min_lr": Curve(
        "get_cosine_with_min_lr_schedule_with_warmup",
        lambda share, optimizer: _least(optimizer) + (1 - _least(optimizer)) * _cosine(share),
        lambda optimizer: {"num_cycles": optimizer.lr_scheduler_num_cycles / 2, "min_lr_rate": _least(optimizer)},
    ),
}


def resumed_schedule(optimizer: Optimizer, total: int, processes: int) -> Optimizer:
    """Return the same scheduler for a resumed run of ``total`` steps.

    A scheduler counts the steps of all ``processes`` (accelerate).
    """
    steps = total * processes
    warmup, decay = (_steps(value, steps) for value in (optimizer.lr_warmup_steps, optimizer.lr_decay_steps))
    if optimizer.lr_scheduler_type or optimizer.lr_scheduler == "constant":
        return optimizer
    if optimizer.lr_scheduler == "rex":
        return optimizer.model_copy(update={"lr_warmup_steps": 0.0})  # stored in the state
    if optimizer.lr_scheduler == "warmup_stable_decay":
        stable = {"num_warmup_steps": warmup, "num_stable_steps": steps - warmup - decay, "num_decay_steps": decay}
        ending = {"num_cycles": optimizer.lr_scheduler_num_cycles / 2, "min_lr_ratio": _least(optimizer)}
        return _imported(optimizer, "get_wsd_schedule", stable | ending)
    if curve := CURVES.get(optimizer.lr_scheduler):
        given = {"num_warmup_steps": warmup, "num_training_steps": steps, **curve.arguments(optimizer)}
        return _imported(optimizer, curve.function, given)
    return optimizer.model_copy(update={"lr_warmup_steps": float(warmup)})


def _imported(optimizer: Optimizer, function: str, arguments: Mapping[str, Any]) -> Optimizer:
    lines = [f"{name}={value!r}" for name, value in arguments.items()]
    same = {"lr_scheduler": "constant", "lr_scheduler_type": f"transformers.{function}", "lr_warmup_steps": 0.0}
    own = {"lr_scheduler_args": "\n".join([optimizer.lr_scheduler_args, *lines]), "lr_decay_steps": 0.0}
    return optimizer.model_copy(update=same | own)


def length_change(optimizer: Optimizer, rate: float, step: int, before: int, total: int) -> str:
    """Return how a length other than ``before`` changes the rate, or "".

    ``rate`` is learning_rate; the training resumes at ``step`` and now has ``total`` steps.
    """
    name = optimizer.lr_scheduler
    if before == total or optimizer.lr_scheduler_type:
        return ""
    if name in CURVES or name == "inverse_sqrt":
        old, new = (_factor(optimizer, step, length) for length in (before, total))
        if name in CURVES or old != new:
            return translate(
                "With {name} over {before} steps the rate is {old:.3g} at step {step}, over {total} steps {new:.3g}.",
                name=name,
                before=before,
                old=rate * old,
                step=step,
                total=total,
                new=rate * new,
            )
        return ""
    if name == "rex":
        return translate(
            "rex keeps its length of {before} steps in the state: after them the rate stays at its end.", before=before
        )
    if name == "warmup_stable_decay":
        return translate(
            "warmup_stable_decay would end its decay at step {total} instead of {before}.", total=total, before=before
        )
    shared = 0 < optimizer.lr_warmup_steps < 1 and step < optimizer.lr_warmup_steps * max(before, total)
    told = "The warm-up is a share of all steps, which are {total} now instead of {before}."
    return translate(told, total=total, before=before) if shared else ""


def _factor(optimizer: Optimizer, step: int, total: int) -> float:
    warmup = _steps(optimizer.lr_warmup_steps, total)
    if step < warmup:
        return step / warmup
    if optimizer.lr_scheduler == "inverse_sqrt":
        return _inverse_sqrt(step, warmup, optimizer.lr_scheduler_timescale or warmup or 10_000)
    curve = CURVES[optimizer.lr_scheduler]
    return max(0.0, curve.factor(min(1.0, (step - warmup) / max(1, total - warmup)), optimizer))


def _inverse_sqrt(step: int, warmup: int, timescale: int) -> float:
    """Follow ``get_inverse_sqrt_schedule`` of transformers 4.57."""
    return 1 / math.sqrt((step + timescale - warmup) / timescale)


def _steps(value: float, total: int) -> int:
    return int(value * total) if 0 < value < 1 else int(value)
