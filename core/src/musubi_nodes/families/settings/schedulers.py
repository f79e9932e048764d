"""Settings of each learning rate scheduler.

``get_lr_scheduler`` (training/trainer_base.py, v0.3.4) ignores others silently. Sources: transformers 4.57,
diffusers 0.32 and PyTorch 2.13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scheduler:
    """Options and arguments of a scheduler.

    ``fields`` are options, ``arguments`` names in lr_scheduler_args; ``needs`` are required, with an example.
    """

    fields: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)


_WARMUP, _DECAY, _CYCLES = "lr_warmup_steps", "lr_decay_steps", "lr_scheduler_num_cycles"
_POWER, _TIMESCALE, _LEAST = "lr_scheduler_power", "lr_scheduler_timescale", "lr_scheduler_min_lr_ratio"

_NAMED = {
    "constant": Scheduler(),
    "constant_with_warmup": Scheduler((_WARMUP,)),
    "cosine": Scheduler((_WARMUP,), ("num_cycles",)),
    "cosine_with_restarts": Scheduler((_WARMUP, _CYCLES)),
    "linear": Scheduler((_WARMUP,)),
    "polynomial": Scheduler((_WARMUP, _POWER), ("lr_end",)),
    "inverse_sqrt": Scheduler((_WARMUP, _TIMESCALE)),
    "cosine_with_min_lr": Scheduler((_WARMUP, _CYCLES, _LEAST), needs={_LEAST: "0.1"}),
    "warmup_stable_decay": Scheduler(
        (_WARMUP, _DECAY, _CYCLES, _LEAST), ("warmup_type", "decay_type"), {_DECAY: "0.2, the last fifth"}
    ),
    "rex": Scheduler((_WARMUP, _LEAST), ("rex_alpha", "rex_beta")),
    "piecewise_constant": Scheduler((), ("step_rules",), {"step_rules": "1:100,0.1:200,0.01"}),
    "adafactor": Scheduler(),
}

_ONE_CYCLE = (
    "max_lr total_steps epochs steps_per_epoch pct_start anneal_strategy cycle_momentum base_momentum max_momentum "
    "div_factor final_div_factor three_phase"
)
_PYTORCH = {
    "CosineAnnealingLR": Scheduler((), ("T_max", "eta_min"), {"T_max": "1000, the steps"}),
    "CosineAnnealingWarmRestarts": Scheduler((), ("T_0", "T_mult", "eta_min"), {"T_0": "100"}),
    "ExponentialLR": Scheduler((), ("gamma",), {"gamma": "0.999"}),
    "StepLR": Scheduler((), ("step_size", "gamma"), {"step_size": "500"}),
    "LinearLR": Scheduler((), ("start_factor", "end_factor", "total_iters")),
    "PolynomialLR": Scheduler((), ("total_iters", "power")),
    "OneCycleLR": Scheduler((), tuple(_ONE_CYCLE.split()), {"max_lr": "1e-4", "total_steps": "1000, the steps"}),
}
"""Classes of torch.optim.lr_scheduler."""

SCHEDULERS: Mapping[str, Scheduler] = _NAMED | _PYTORCH
OF_PYTORCH = frozenset(_PYTORCH)

ARGUMENTS = (
    *("T_max", "T_0", "eta_min", "step_size", "gamma", "max_lr", "total_steps", "total_iters", "num_cycles", "lr_end"),
    "step_rules",
)
"""Arguments that have a field."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    name: tuple(taker for taker, each in SCHEDULERS.items() if name in (*each.fields, *each.arguments))
    for name in (_WARMUP, _DECAY, _CYCLES, _POWER, _TIMESCALE, _LEAST, *ARGUMENTS)
}
"""Field -> schedulers that accept it."""


def of(name: str, text: str) -> str:
    """Describe a field, beginning with its schedulers."""
    return f"{', '.join(FIELDS[name])}: {text}"
