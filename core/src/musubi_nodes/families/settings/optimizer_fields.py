"""Fields of OPTIMIZER; :mod:`.optimizer` checks combinations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musubi_nodes.commands.option import Option
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.families.settings.schedulers import of

ADVANCED = Widget(advanced=True)
TEXT = Widget(advanced=True, multiline=True)
LATER = Widget(advanced=True, added=1)
MOST_STEPS = 10_000_000


def _fine(step: float, added: int = 1) -> Widget:
    """Declare a number whose ``step`` sets the digits kept by the page."""
    return Widget(advanced=True, added=added, step=step)


NEW = Widget(advanced=True, added=2)
Switch = Annotated[Literal["on", "off"] | None, LATER]
LaterSwitch = Annotated[Literal["on", "off"] | None, NEW]
Steps = Annotated[int | None, NEW]
Rate = Annotated[float | None, _fine(1e-7, 2)]


class OptimizerFields(Settings):
    optimizer_type: Literal[
        "auto", "AdamW8bit", "AdamW", "Adafactor", "bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.Lion8bit",
        "prodigyopt.Prodigy", "lion_pytorch.Lion", "schedulefree.AdamWScheduleFree",
        "Adam", "SGD", "RAdam", "NAdam", "RMSprop", "Adamax", "Adagrad",
        "bitsandbytes.optim.PagedLion8bit", "bitsandbytes.optim.AdEMAMix8bit", "bitsandbytes.optim.PagedAdEMAMix8bit",
        "prodigyplus.ProdigyPlusScheduleFree", "dadaptation.DAdaptAdam", "came_pytorch.CAME",
    ] = Field("auto", description="auto: AdamW8bit if bitsandbytes is installed, else AdamW.")  # fmt: skip
    optimizer_args: Annotated[str, Widget(multiline=True)] = Field(
        "",
        description="Arguments of the optimizer, one key=value per line, such as weight_decay=0.01.",
        examples=["weight_decay=0.01"],
    )
    max_grad_norm: Annotated[float, Option()] = Field(
        1.0, ge=0.0, le=1000.0, description="Gradients with a larger norm are scaled down to it. 0: never."
    )
    lr_scheduler: Annotated[
        Literal[
            "constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear", "polynomial",
            "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay", "rex", "piecewise_constant", "adafactor",
        ],
        Option(),
    ] = Field("constant", description="How the learning rate changes over the training.")  # fmt: skip
    lr_warmup_steps: float = Field(
        0.0, ge=0.0, le=1_000_000.0, description="Steps until the full learning rate; below 1: share of all steps."
    )
    lr_decay_steps: Annotated[float, ADVANCED] = Field(
        0.0,
        ge=0.0,
        le=1_000_000.0,
        description=of("lr_decay_steps", "steps of the decay; below 1: share of all steps."),
    )
    lr_scheduler_num_cycles: Annotated[int, ADVANCED] = Field(
        1, ge=1, le=1000, description=of("lr_scheduler_num_cycles", "how often the rate falls.")
    )
    lr_scheduler_power: Annotated[float, ADVANCED] = Field(
        1.0, ge=0.0, le=100.0, description=of("lr_scheduler_power", "the power.")
    )
    lr_scheduler_timescale: Annotated[int | None, ADVANCED] = Field(
        None,
        ge=1,
        le=10_000_000,
        description=of("lr_scheduler_timescale", "the time scale. 0: the warm-up steps."),
    )
    lr_scheduler_min_lr_ratio: Annotated[float | None, ADVANCED] = Field(
        None,
        ge=0.0,
        le=1.0,
        description=of("lr_scheduler_min_lr_ratio", "the end as a share of the learning rate. -1: default."),
    )
    lr_scheduler_args: Annotated[str, TEXT] = Field(
        "", description="Arguments of the scheduler, one key=value per line."
    )
    lr_scheduler_type: Annotated[
        Literal[
            "CosineAnnealingLR",
            "CosineAnnealingWarmRestarts",
            "ExponentialLR",
            "StepLR",
            "LinearLR",
            "PolynomialLR",
            "OneCycleLR",
        ]
        | None,
        Option(),
        LATER,
    ] = Field(
        None, description="A scheduler of PyTorch instead of lr_scheduler; its arguments: below, or lr_scheduler_args."
    )
    weight_decay: Annotated[float | None, _fine(0.001)] = Field(
        None, ge=0.0, le=10.0, description="Pulls weights towards zero; 0.01 is usual. -1: the optimizer's own."
    )
    beta1: Annotated[float | None, _fine(0.001)] = Field(
        None, ge=0.0, le=0.9999, description="How long gradients are remembered; 0.9 is usual. -1: the optimizer's own."
    )
    beta2: Annotated[float | None, _fine(0.0001)] = Field(
        None, ge=0.0, le=0.99999, description="The same for their squares; 0.99 or 0.999. -1: the optimizer's own."
    )
    eps: Annotated[float | None, _fine(1e-9)] = Field(
        None, ge=0.0, le=0.1, description="Added before dividing; 1e-8 is usual. -1: the optimizer's own."
    )
    momentum: Annotated[float | None, LATER] = Field(
        None, ge=0.0, le=0.9999, description="SGD and RMSprop: how long gradients are remembered. -1: 0."
    )
    d_coef: Annotated[float | None, LATER] = Field(
        None, ge=0.0, le=100.0, description="Prodigy: scales the learning rate that it finds; 0.5 to 2. -1: 1."
    )
    safeguard_warmup: Switch = Field(None, description="Prodigy: on with a scheduler that warms up.")
    use_bias_correction: Switch = Field(None, description="Prodigy: slower, steadier start.")
    relative_step: Switch = Field(
        None, description="Adafactor: find the learning rate itself (musubi-tuner's default). off: use learning_rate."
    )
    scale_parameter: Switch = Field(
        None, description="Adafactor: scale steps by the size of the weights; off with learning_rate."
    )
    warmup_init: Switch = Field(None, description="Adafactor with relative_step: begin slowly.")
    beta3: Annotated[float | None, _fine(0.00001, 2)] = Field(
        None,
        ge=0.0,
        le=0.99999,
        description="AdEMAMix, CAME: the third beta; 0.9999 is usual. -1: the optimizer's own.",
    )
    amsgrad: LaterSwitch = Field(None, description="AdamW, Adam: never let a step grow again.")
    fused: LaterSwitch = Field(None, description="AdamW, Adam, Adagrad, SGD: faster steps on a GPU.")
    T_max: Steps = Field(None, ge=1, le=MOST_STEPS, description=of("T_max", "steps until the lowest rate. 0: not set."))
    T_0: Steps = Field(None, ge=1, le=MOST_STEPS, description=of("T_0", "steps until the first restart. 0: not set."))
    eta_min: Rate = Field(None, ge=0.0, le=100.0, description=of("eta_min", "the lowest rate. -1: 0."))
    step_size: Steps = Field(
        None, ge=1, le=MOST_STEPS, description=of("step_size", "steps until it falls. 0: not set.")
    )
    gamma: Rate = Field(
        None, ge=0.0, le=10.0, description=of("gamma", "the rate's factor at each fall. -1: the scheduler's own.")
    )
    max_lr: Rate = Field(None, ge=0.0, le=100.0, description=of("max_lr", "the highest rate. -1: not set."))
    total_steps: Steps = Field(
        None, ge=1, le=MOST_STEPS, description=of("total_steps", "steps of the training. 0: not set.")
    )
    total_iters: Steps = Field(
        None, ge=1, le=MOST_STEPS, description=of("total_iters", "steps until the end of the change. 0: 5.")
    )
    num_cycles: Annotated[float | None, NEW] = Field(
        None, ge=0.0, le=1000.0, description=of("num_cycles", "waves; 0.5 falls once. -1: 0.5.")
    )
    lr_end: Rate = Field(None, ge=0.0, le=100.0, description=of("lr_end", "the rate at the end. -1: 1e-7."))
    step_rules: Annotated[str, NEW] = Field(
        "",
        description=of("step_rules", "factor:step pairs and the last factor, such as 1:100,0.1:200,0.01."),
        examples=["1:100,0.1:200,0.01"],
    )
