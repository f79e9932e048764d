"""OPTIMIZER: optimizer, learning rate scheduler and their arguments."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.families.settings.lines import literal_lines

ADVANCED = Widget(advanced=True)
TEXT = Widget(advanced=True, multiline=True)

PACKAGES = {
    "bitsandbytes": ("AdamW8bit", "bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.Lion8bit"),
    "prodigyopt": ("prodigyopt.Prodigy",),
    "lion_pytorch": ("lion_pytorch.Lion",),
    "schedulefree": ("schedulefree.AdamWScheduleFree",),
}
"""Optimizers that need a package in musubi-tuner's environment."""


class Optimizer(Settings):
    """Which optimizer and learning rate scheduler train the LoRA."""

    socket: ClassVar[str] = "MUSUBI_OPTIMIZER"

    optimizer_type: Literal[
        "auto", "AdamW8bit", "AdamW", "Adafactor", "bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.Lion8bit",
        "prodigyopt.Prodigy", "lion_pytorch.Lion", "schedulefree.AdamWScheduleFree",
        "Adam", "SGD", "RAdam", "NAdam", "RMSprop", "Adamax", "Adagrad",
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

    @field_validator("optimizer_args", "lr_scheduler_args")
    @classmethod
    def _lines(cls, text: str) -> str:
        literal_lines(text)
        return text

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.lr_scheduler == "constant" and self.lr_warmup_steps:
            raise ValueError(
                f"lr_scheduler constant takes no lr_warmup_steps (it is {self.lr_warmup_steps:g}): "
                "choose constant_with_warmup, or set lr_warmup_steps to 0"
            )
        if self.lr_scheduler == "warmup_stable_decay" and not self.lr_decay_steps:
            raise ValueError("lr_scheduler warmup_stable_decay needs lr_decay_steps (0.2: the last fifth)")
        if self.lr_scheduler in ("cosine_with_min_lr",) and self.lr_scheduler_min_lr_ratio is None:
            raise ValueError("lr_scheduler cosine_with_min_lr needs lr_scheduler_min_lr_ratio (0.1 is a good start)")
        return self

    def options(self) -> dict[str, Any]:
        """The options that are computed from fields. Steps below 1 are shares (``_int_or_float``, v0.3.4)."""
        return {
            "optimizer_args": literal_lines(self.optimizer_args),
            "lr_scheduler_args": literal_lines(self.lr_scheduler_args),
            "lr_warmup_steps": _share_or_count(self.lr_warmup_steps),
            "lr_decay_steps": _share_or_count(self.lr_decay_steps),
        }

    def package(self) -> str | None:
        """The package that the chosen optimizer needs in musubi-tuner's environment."""
        return next((p for p, types in PACKAGES.items() if self.optimizer_type in types), None)


def _share_or_count(value: float) -> float | int:
    return value if 0 < value < 1 else int(value)
