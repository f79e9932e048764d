"""OPTIMIZER: optimizer, learning rate scheduler and their arguments."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.families.settings.lines import literal_lines
from musubi_nodes.families.settings.optimizer_table import ARGUMENTS, LEARNS_RATE, LOWEST_RATE, PACKAGES, SCHEDULERS

ADVANCED = Widget(advanced=True)
TEXT = Widget(advanced=True, multiline=True)
LATER = Widget(advanced=True, added=1)
Switch = Annotated[Literal["on", "off"] | None, LATER]
"""default: the optimizer's own."""


class Optimizer(Settings):
    """Which optimizer and learning rate scheduler train the LoRA."""

    socket: ClassVar[str] = "MUSUBI_OPTIMIZER"

    optimizer_type: Literal[
        "auto", "AdamW8bit", "AdamW", "Adafactor", "bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.Lion8bit",
        "prodigyopt.Prodigy", "lion_pytorch.Lion", "schedulefree.AdamWScheduleFree",
        "Adam", "SGD", "RAdam", "NAdam", "RMSprop", "Adamax", "Adagrad",
        "bitsandbytes.optim.PagedLion8bit", "bitsandbytes.optim.AdEMAMix8bit", "bitsandbytes.optim.PagedAdEMAMix8bit",
        "prodigyplus.ProdigyPlusScheduleFree", "dadaptation.DAdaptAdam", "came_pytorch.CAME",
    ] = Field("auto", description="auto: AdamW8bit where bitsandbytes is installed, else AdamW.")  # fmt: skip
    optimizer_args: Annotated[str, Widget(multiline=True)] = Field(
        "", description="Arguments of the optimizer, one key=value a line, such as weight_decay=0.01."
    )
    max_grad_norm: Annotated[float, Option()] = Field(
        1.0, ge=0.0, le=1000.0, description="Gradients with a larger norm are scaled down to it. 0: never."
    )
    lr_scheduler: Annotated[
        Literal[
            "constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear", "polynomial",
            "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay", "rex",
        ],
        Option(),
    ] = Field("constant", description="How the learning rate changes over the training.")  # fmt: skip
    lr_warmup_steps: float = Field(
        0.0, ge=0.0, le=1_000_000.0, description="Steps until the full learning rate; below 1: share of all steps."
    )
    lr_decay_steps: Annotated[float, ADVANCED] = Field(
        0.0, ge=0.0, le=1_000_000.0, description="warmup_stable_decay: steps of the decay; below 1: share of all steps."
    )
    lr_scheduler_num_cycles: Annotated[int, Option(), ADVANCED] = Field(
        1, ge=1, le=1000, description="cosine_with_restarts: number of restarts."
    )
    lr_scheduler_power: Annotated[float, Option(), ADVANCED] = Field(
        1.0, ge=0.0, le=100.0, description="polynomial: the power."
    )
    lr_scheduler_timescale: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=10_000_000, description="inverse_sqrt: the time scale. 0: the warm-up steps."
    )
    lr_scheduler_min_lr_ratio: Annotated[float | None, Option(), ADVANCED] = Field(
        None,
        ge=0.0,
        le=1.0,
        description="cosine_with_min_lr, rex: the end as a share of the learning rate. -1: default.",
    )
    lr_scheduler_args: Annotated[str, TEXT] = Field("", description="Arguments of the scheduler, one key=value a line.")
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
    ] = Field(None, description="A scheduler of PyTorch instead of lr_scheduler; its arguments: lr_scheduler_args.")
    weight_decay: Annotated[float | None, LATER] = Field(
        None, ge=0.0, le=10.0, description="Pulls weights towards zero; 0.01 is usual. -1: the optimizer's own."
    )
    beta1: Annotated[float | None, LATER] = Field(
        None, ge=0.0, le=0.9999, description="How long gradients are remembered; 0.9 is usual. -1: the optimizer's own."
    )
    beta2: Annotated[float | None, LATER] = Field(
        None, ge=0.0, le=0.99999, description="The same for their squares; 0.99 or 0.999. -1: the optimizer's own."
    )
    eps: Annotated[float | None, LATER] = Field(
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

    @field_validator("optimizer_args", "lr_scheduler_args")
    @classmethod
    def _lines(cls, text: str) -> str:
        literal_lines(text)
        return text

    @model_validator(mode="after")
    def _scheduler_fits(self) -> Self:
        if self.lr_scheduler == "constant" and self.lr_warmup_steps:
            raise ValueError(
                f"lr_scheduler constant takes no lr_warmup_steps (it is {self.lr_warmup_steps:g}): "
                "choose constant_with_warmup, or set lr_warmup_steps to 0"
            )
        if self.lr_scheduler == "warmup_stable_decay" and not self.lr_decay_steps:
            raise ValueError("lr_scheduler warmup_stable_decay needs lr_decay_steps (0.2: the last fifth)")
        if self.lr_scheduler == "cosine_with_min_lr" and self.lr_scheduler_min_lr_ratio is None:
            raise ValueError("lr_scheduler cosine_with_min_lr needs lr_scheduler_min_lr_ratio (0.1 is a good start)")
        if self.lr_scheduler_type:
            given = {line.partition("=")[0] for line in literal_lines(self.lr_scheduler_args)}
            if missing := [name for name in SCHEDULERS[self.lr_scheduler_type] if name not in given]:
                raise ValueError(
                    f"lr_scheduler_type {self.lr_scheduler_type} needs {', '.join(missing)} in lr_scheduler_args"
                )
        if reason := self._without_scheduler():
            ignored = self.lr_scheduler_type or self.lr_scheduler
            raise ValueError(f"{reason}: {ignored} would be ignored; choose lr_scheduler constant")
        return self

    def _without_scheduler(self) -> str:
        """Why musubi-tuner would not look at the chosen scheduler; an empty string where it does."""
        if self.lr_scheduler == "constant" and not self.lr_scheduler_type:
            return ""
        if self.name.lower().endswith("schedulefree"):
            return f"{self.name} has no scheduler"
        own = self.relative_step == "off" or "relative_step=False" in literal_lines(self.optimizer_args)
        if self.name == "Adafactor" and not own:
            return "Adafactor with relative_step finds the learning rate itself"
        return "lr_scheduler_type is set" if self.lr_scheduler_type and self.lr_scheduler != "constant" else ""

    @model_validator(mode="after")
    def _optimizer_fits(self) -> Self:
        fields = {name: getattr(self, name) for name in ARGUMENTS if getattr(self, name) is not None}
        if strange := [name for name in fields if self.name not in ARGUMENTS[name]]:
            takers = ", ".join(sorted(ARGUMENTS[strange[0]] - {"auto"}))
            raise ValueError(f"optimizer_type {self.optimizer_type} takes no {strange[0]}: it is for {takers}")
        if ("beta1" in fields) != ("beta2" in fields):
            raise ValueError("beta1 and beta2 go together: set both, or none")
        if self.warmup_init == "on" and self.relative_step == "off":
            raise ValueError("warmup_init needs relative_step: Adafactor would turn it on again")
        written = {line.partition("=")[0] for line in literal_lines(self.optimizer_args)}
        if twice := sorted(written & self._arguments().keys()):
            raise ValueError(f"{twice[0]} is set twice: as a field and in optimizer_args")
        return self

    @property
    def name(self) -> str:
        """The optimizer's class name."""
        return self.optimizer_type.rsplit(".", 1)[-1]

    def _arguments(self) -> dict[str, Any]:
        """The fields as the optimizer's own arguments."""
        fields = {name: getattr(self, name) for name in ARGUMENTS if getattr(self, name) is not None}
        found = {name: value == "on" if value in ("on", "off") else value for name, value in fields.items()}
        if "beta1" in found and "beta2" in found:
            found["betas"] = (found.pop("beta1"), found.pop("beta2"))
        return found

    def check_rate(self, learning_rate: float) -> None:
        """Refuse a learning rate with which the optimizer would train next to nothing (a LoRA that does nothing)."""
        if self.name in LEARNS_RATE and learning_rate < LOWEST_RATE:
            raise MusubiError(
                f"learning_rate {learning_rate:g} with {self.name} would train next to nothing",
                why="It finds the learning rate itself and multiplies it with this one.",
                fix="Set learning_rate to 1 in Training Config; d_coef makes finer changes.",
            )

    def options(self) -> dict[str, Any]:
        """The options that are computed from fields. Steps below 1 are shares (``_int_or_float``, v0.3.4)."""
        own = [f"{name}={value!r}" for name, value in self._arguments().items()]
        return {
            "optimizer_args": [*literal_lines(self.optimizer_args), *own],
            "lr_scheduler_args": literal_lines(self.lr_scheduler_args),
            "lr_warmup_steps": _share_or_count(self.lr_warmup_steps),
            "lr_decay_steps": _share_or_count(self.lr_decay_steps),
        }

    def package(self) -> str | None:
        """The package that the chosen optimizer needs in musubi-tuner's environment."""
        return next((p for p, types in PACKAGES.items() if self.optimizer_type in types), None)


def _share_or_count(value: float) -> float | int:
    return value if 0 < value < 1 else int(value)
