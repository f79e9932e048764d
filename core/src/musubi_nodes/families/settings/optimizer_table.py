"""Arguments of optimizers, from their signatures.

See ``get_optimizer`` in training/trainer_base.py (v0.3.4).
"""

from __future__ import annotations

PACKAGES = {
    "bitsandbytes": (
        *("AdamW8bit", "bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.Lion8bit"),
        *("bitsandbytes.optim.PagedLion8bit", "bitsandbytes.optim.AdEMAMix8bit"),
        "bitsandbytes.optim.PagedAdEMAMix8bit",
    ),
    "prodigyopt": ("prodigyopt.Prodigy",),
    "lion_pytorch": ("lion_pytorch.Lion",),
    "schedulefree": ("schedulefree.AdamWScheduleFree",),
    "prodigy_plus_schedule_free": ("prodigyplus.ProdigyPlusScheduleFree",),
    "dadaptation": ("dadaptation.DAdaptAdam",),
    "came_pytorch": ("came_pytorch.CAME",),
}
"""Package -> optimizers."""

_ADAM = frozenset(
    "auto AdamW8bit PagedAdamW8bit AdamW Adam RAdam NAdam Adamax AdamWScheduleFree Prodigy ProdigyPlusScheduleFree "
    "DAdaptAdam".split()
)
_LION = frozenset("Lion Lion8bit PagedLion8bit".split())
_ADEMAMIX = frozenset("AdEMAMix8bit PagedAdEMAMix8bit".split())
_OTHER = frozenset("Adafactor SGD RMSprop Adagrad CAME".split())
THREE_BETAS = _ADEMAMIX | {"CAME"}
"""Optimizers with three ``betas``; Prodigy's ``beta3`` is separate."""

ARGUMENTS = {
    "weight_decay": _ADAM | _LION | _ADEMAMIX | _OTHER,
    "beta1": _ADAM | _LION | THREE_BETAS,
    "beta2": _ADAM | _LION | THREE_BETAS,
    "beta3": THREE_BETAS | {"Prodigy"},
    "eps": (_ADAM | _ADEMAMIX | {"RMSprop", "Adagrad"}),
    "momentum": frozenset({"SGD", "RMSprop"}),
    "d_coef": frozenset({"Prodigy", "ProdigyPlusScheduleFree"}),
    "safeguard_warmup": frozenset({"Prodigy"}),
    "use_bias_correction": frozenset({"Prodigy", "ProdigyPlusScheduleFree"}),
    "relative_step": frozenset({"Adafactor"}),
    "scale_parameter": frozenset({"Adafactor"}),
    "warmup_init": frozenset({"Adafactor"}),
    "amsgrad": frozenset({"AdamW", "Adam"}),
    "fused": frozenset({"AdamW", "Adam", "Adagrad", "SGD"}),
}
"""Field -> optimizers that accept it.

CAME and Adafactor have two eps, for optimizer_args. bitsandbytes refuses its own ``amsgrad``.
"""

LEARNS_RATE = frozenset({"Prodigy", "ProdigyPlusScheduleFree", "DAdaptAdam"})
"""Optimizers that multiply their own rate by the given one, usually 1."""

LOWEST_RATE = 0.1
"""Lower rates train almost nothing."""

_TORCH = "weight_decay maximize foreach differentiable"
_BITSANDBYTES = "betas weight_decay args min_8bit_size percentile_clipping block_wise"
_ADEMAMIX8 = "betas alpha t_alpha t_beta3 eps weight_decay min_8bit_size"
_DADAPTING = "betas eps weight_decay decouple use_bias_correction d0 growth_rate fsdp_in_use"

TAKES = {
    name: frozenset(arguments.split())
    for name, arguments in {
        "auto": "betas eps weight_decay amsgrad",
        "AdamW": f"{_TORCH} capturable betas eps amsgrad fused",
        "Adam": f"{_TORCH} capturable betas eps amsgrad fused decoupled_weight_decay",
        "RAdam": f"{_TORCH} capturable betas eps decoupled_weight_decay",
        "NAdam": f"{_TORCH} capturable betas eps momentum_decay decoupled_weight_decay",
        "Adamax": f"{_TORCH} capturable betas eps",
        "Adagrad": f"{_TORCH} lr_decay initial_accumulator_value eps fused",
        "SGD": f"{_TORCH} momentum dampening nesterov fused",
        "RMSprop": f"{_TORCH} capturable alpha eps momentum centered",
        "Adafactor": "eps clip_threshold decay_rate beta1 weight_decay scale_parameter relative_step warmup_init",
        "AdamW8bit": f"{_BITSANDBYTES} eps amsgrad optim_bits is_paged",
        "PagedAdamW8bit": f"{_BITSANDBYTES} eps amsgrad optim_bits",
        "Lion8bit": f"{_BITSANDBYTES} is_paged",
        "PagedLion8bit": _BITSANDBYTES,
        "AdEMAMix8bit": f"{_ADEMAMIX8} is_paged",
        "PagedAdEMAMix8bit": _ADEMAMIX8,
        "Prodigy": f"{_DADAPTING} beta3 safeguard_warmup d_coef slice_p",
        "DAdaptAdam": f"{_DADAPTING} log_every",
    }.items()
}
"""Optimizer -> names in optimizer_args.

PyTorch 2.13, transformers 4.57, bitsandbytes, prodigyopt 1.1, dadaptation 3.2. Others still change, and aren't checked.
"""

NUMBERS = frozenset(
    "weight_decay momentum dampening momentum_decay alpha t_alpha t_beta3 lr_decay initial_accumulator_value "
    "clip_threshold decay_rate beta1 beta3 d0 d_coef growth_rate percentile_clipping optim_bits min_8bit_size".split()
)
"""Numeric arguments; other values fail after loading the models."""
