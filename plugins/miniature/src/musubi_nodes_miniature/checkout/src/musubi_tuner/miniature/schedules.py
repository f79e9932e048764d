"""Learning rate over the steps, as a factor of ``--learning_rate``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping

from .optimizer import arguments

Schedule = Callable[[int], float]


def _steps(value: int | float, total: int) -> int:
    return int(value * total) if isinstance(value, float) else value


def _warmed(warmup: int, rest: Schedule) -> Schedule:
    return lambda step: step / warmup if step < warmup else rest(step)


TRANSFORMERS = {
    "transformers.get_linear_schedule_with_warmup": "linear",
    "transformers.get_cosine_schedule_with_warmup": "cosine",
    "transformers.get_cosine_with_hard_restarts_schedule_with_warmup": "cosine_with_restarts",
    "transformers.get_polynomial_decay_schedule_with_warmup": "polynomial",
    "transformers.get_cosine_with_min_lr_schedule_with_warmup": "cosine_with_min_lr",
    "transformers.get_wsd_schedule": "warmup_stable_decay",
}
"""What ``--lr_scheduler_type`` may import here -> the same by the name of ``--lr_scheduler``."""


def schedule(args: argparse.Namespace, state: Mapping[str, int] | None = None) -> Schedule:
    """The factor at a step; :class:`ValueError` where upstream refuses or does not know the name.

    ``state`` is the scheduler's of an earlier run: its steps count, and of rex (which keeps it) its length.
    """
    if state:
        length = state["num_steps"] if args.lr_scheduler == "rex" else args.max_train_steps
        factor = schedule(argparse.Namespace(**{**vars(args), "max_train_steps": length}))
        return lambda step: factor(state["last_epoch"] + step)
    if args.lr_scheduler_type:
        return _imported(args)
    total = max(1, args.max_train_steps)
    warmup, decay = _steps(args.lr_warmup_steps, total), _steps(args.lr_decay_steps, total)
    if args.lr_scheduler == "constant" and warmup:
        raise ValueError("SchedulerType.CONSTANT does not require `num_warmup_steps`. Set None or 0.")
    if args.lr_scheduler == "piecewise_constant":
        return _pieces(**arguments(args.lr_scheduler_args))
    floor, cycles = args.lr_scheduler_min_lr_ratio or 0.0, args.lr_scheduler_num_cycles
    return _named(args.lr_scheduler, total, warmup, decay, cycles, args.lr_scheduler_power, floor)


def _imported(args: argparse.Namespace) -> Schedule:
    given = arguments(args.lr_scheduler_args)
    name = TRANSFORMERS.get(args.lr_scheduler_type)
    if name is None:
        raise NotImplementedError(f"the practice install does not have the scheduler {args.lr_scheduler_type}")
    warmup, decay = given["num_warmup_steps"], given.get("num_decay_steps", 0)
    total = given.get("num_training_steps") or warmup + given["num_stable_steps"] + decay
    floor = given.get("min_lr_rate") or given.get("min_lr_ratio") or 0.0
    return _named(name, total, warmup, decay, given.get("num_cycles", 1), given.get("power", 1.0), floor)


def _pieces(step_rules: str) -> Schedule:
    """``1:10,0.1``: the whole rate for ten steps, then a tenth of it."""
    *rules, last = step_rules.split(",")
    ends = sorted((int(end), float(factor)) for factor, end in (rule.split(":") for rule in rules))
    return lambda step: next((factor for end, factor in ends if step < end), float(last))


def _named(name: str, total: int, warmup: int, decay: int, cycles: float, power: float, floor: float) -> Schedule:
    rest = max(1, total - warmup)

    def progress(step: int) -> float:
        return max(0, step - warmup) / rest

    def left(step: int) -> float:
        return max(0.0, 1.0 - progress(step))

    def cosine(step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress(step)))  # it rises again after the last step, as upstream's

    def ending(step: int) -> float:
        over = max(0, step - (total - decay)) / max(1, decay)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, over)))

    shapes: dict[str, Schedule] = {
        "constant": lambda step: 1.0,
        "constant_with_warmup": lambda step: 1.0,
        "adafactor": lambda step: 1.0,
        "linear": left,
        "cosine": cosine,
        "cosine_with_min_lr": lambda step: floor + (1 - floor) * cosine(step),
        "cosine_with_restarts": lambda step: 0.5 * (1 + math.cos(math.pi * (cycles * progress(step) % 1.0))),
        "polynomial": lambda step: left(step) ** power,
        "inverse_sqrt": lambda step: 1 / math.sqrt(max(1, step / max(1, warmup))),
        "warmup_stable_decay": lambda step: floor + (1 - floor) * ending(step),
        "rex": lambda step: 0.01 + 0.99 * left(step) / (0.1 + 0.9 * left(step)),
    }
    if name not in shapes:
        raise ValueError(f"'{name}' is not a valid SchedulerType")
    return _warmed(warmup, shapes[name]) if warmup else shapes[name]
