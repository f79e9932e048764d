"""Learning rate over the steps, as a factor of ``--learning_rate``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def _steps(value: int | float, total: int) -> int:
    return int(value * total) if isinstance(value, float) else value


def _warmed(warmup: int, rest: Schedule) -> Schedule:
    return lambda step: step / warmup if step < warmup else rest(step)


def schedule(args: argparse.Namespace) -> Schedule:
    """The factor at a step; :class:`ValueError` where upstream refuses or does not know the name."""
    name, total = args.lr_scheduler, max(1, args.max_train_steps)
    warmup = _steps(args.lr_warmup_steps, total)
    rest = max(1, total - warmup)
    floor = args.lr_scheduler_min_lr_ratio or 0.0
    if name == "constant" and warmup:
        raise ValueError("SchedulerType.CONSTANT does not require `num_warmup_steps`. Set None or 0.")

    def progress(step: int) -> float:
        return min(1.0, max(0, step - warmup) / rest)

    cycles = args.lr_scheduler_num_cycles
    shapes: dict[str, Schedule] = {
        "constant": lambda step: 1.0,
        "constant_with_warmup": lambda step: 1.0,
        "adafactor": lambda step: 1.0,
        "linear": lambda step: 1.0 - progress(step),
        "cosine": lambda step: 0.5 * (1 + math.cos(math.pi * progress(step))),
        "cosine_with_min_lr": lambda step: floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress(step))),
        "cosine_with_restarts": lambda step: 0.5 * (1 + math.cos(math.pi * (cycles * progress(step) % 1.0))),
        "polynomial": lambda step: (1.0 - progress(step)) ** args.lr_scheduler_power,
        "inverse_sqrt": lambda step: 1 / math.sqrt(max(1, step / max(1, warmup))),
        "warmup_stable_decay": lambda step: 1.0,
        "rex": lambda step: 0.01 + 0.99 * (1 - progress(step)) / (1 - 0.9 * progress(step)),
    }
    if name not in shapes:
        raise ValueError(f"'{name}' is not a valid SchedulerType")
    return _warmed(warmup, shapes[name]) if warmup else shapes[name]
