"""What the optimizers and PyTorch's schedulers take: data for the checks of OPTIMIZER (their own signatures; those of
musubi-tuner are in ``get_optimizer`` and ``get_lr_scheduler`` of training/trainer_base.py, v0.3.4)."""

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
"""Distribution in musubi-tuner's environment -> the optimizers that need it."""

_ADAM = frozenset(
    "auto AdamW8bit PagedAdamW8bit AdamW Adam RAdam NAdam Adamax AdamWScheduleFree Prodigy ProdigyPlusScheduleFree "
    "DAdaptAdam".split()
)
_LION = frozenset("Lion Lion8bit PagedLion8bit".split())
_ADEMAMIX = frozenset("AdEMAMix8bit PagedAdEMAMix8bit".split())
_OTHER = frozenset("Adafactor SGD RMSprop Adagrad CAME".split())

ARGUMENTS = {
    "weight_decay": _ADAM | _LION | _ADEMAMIX | _OTHER,
    "beta1": _ADAM | _LION,
    "beta2": _ADAM | _LION,
    "eps": (_ADAM | _ADEMAMIX | {"RMSprop", "Adagrad"}),
    "momentum": frozenset({"SGD", "RMSprop"}),
    "d_coef": frozenset({"Prodigy", "ProdigyPlusScheduleFree"}),
    "safeguard_warmup": frozenset({"Prodigy"}),
    "use_bias_correction": frozenset({"Prodigy", "ProdigyPlusScheduleFree"}),
    "relative_step": frozenset({"Adafactor"}),
    "scale_parameter": frozenset({"Adafactor"}),
    "warmup_init": frozenset({"Adafactor"}),
}
"""Field -> class names of the optimizers that take it. AdEMAMix and CAME have three betas, CAME and Adafactor two eps:
these go into optimizer_args."""

LEARNS_RATE = frozenset({"Prodigy", "ProdigyPlusScheduleFree", "DAdaptAdam"})
"""Optimizers that find the learning rate and multiply it with the given one, which is 1 for all of them."""

LOWEST_RATE = 0.1
"""Below this they train next to nothing."""

SCHEDULERS = {
    "CosineAnnealingLR": ("T_max",),
    "CosineAnnealingWarmRestarts": ("T_0",),
    "ExponentialLR": ("gamma",),
    "StepLR": ("step_size",),
    "LinearLR": (),
    "PolynomialLR": (),
    "OneCycleLR": ("max_lr", "total_steps"),
}
"""Classes of torch.optim.lr_scheduler -> the arguments that they cannot do without."""
