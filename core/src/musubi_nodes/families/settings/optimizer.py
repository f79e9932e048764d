"""OPTIMIZER: checks of combined settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import field_validator, model_validator
from typing_extensions import Self

from musubi_nodes.errors import InvalidValue, MusubiError, did_you_mean
from musubi_nodes.families.settings.changed import back_to_start, changed
from musubi_nodes.families.settings.lines import key_value_lines, literals
from musubi_nodes.families.settings.optimizer_fields import OptimizerFields
from musubi_nodes.families.settings.optimizer_table import (
    ARGUMENTS,
    LEARNS_RATE,
    LOWEST_RATE,
    NUMBERS,
    PACKAGES,
    TAKES,
    THREE_BETAS,
)
from musubi_nodes.families.settings.schedulers import ARGUMENTS as SCHEDULER_ARGUMENTS
from musubi_nodes.families.settings.schedulers import FIELDS, SCHEDULERS, Scheduler

COUNTED = ("lr_warmup_steps", "lr_decay_steps")
_FACTOR = r"\s*(\d+(\.\d+)?|\.\d+)(e-?\d+)?\s*"
_STEP_RULES = re.compile(rf"({_FACTOR}:\s*\d+\s*,)+{_FACTOR}")
"""``get_piecewise_constant_schedule`` of diffusers 0.32."""


class Optimizer(OptimizerFields):
    socket: ClassVar[str] = "MUSUBI_OPTIMIZER"

    @field_validator("optimizer_args", "lr_scheduler_args")
    @classmethod
    def _lines(cls, text: str) -> str:
        literals(text)
        return text

    @property
    def scheduler(self) -> Scheduler:
        """The chosen scheduler; imported ones accept arguments only."""
        return SCHEDULERS.get(self.lr_scheduler_type or self.lr_scheduler, Scheduler())

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        """Refuse settings that musubi-tuner ignores silently (v0.3.4)."""
        if self.lr_scheduler_type and self.lr_scheduler != "constant":
            raise InvalidValue(
                "setting-ignored", f"lr_scheduler_type is set: {self.lr_scheduler} would be ignored; choose constant"
            )
        relative = self.name == "Adafactor" and self._argument("relative_step") in (None, True)
        if self.lr_scheduler == "adafactor" and not relative:
            raise InvalidValue(
                "setting-missing", "lr_scheduler adafactor needs optimizer_type Adafactor with relative_step on"
            )
        if relative:
            self._check_without_scheduler("Adafactor with relative_step finds the learning rate itself")
        elif self.name.lower().endswith("schedulefree"):
            self._check_without_scheduler(f"{self.name} has no scheduler")
        return self

    def _check_without_scheduler(self, reason: str) -> None:
        if self.lr_scheduler not in ("constant", "adafactor"):
            raise InvalidValue(
                "setting-ignored", f"{reason}: {self.lr_scheduler} would be ignored; choose lr_scheduler constant"
            )
        if self.lr_scheduler_type:
            raise InvalidValue(
                "setting-ignored",
                f"{reason}: {self.lr_scheduler_type} would be ignored; choose lr_scheduler_type default",
            )
        if ignored := changed(self, *FIELDS, "lr_scheduler_args"):
            raise InvalidValue(
                "setting-ignored", f"{reason}: {ignored[0]} would be ignored; {back_to_start(self, ignored[0])}"
            )

    @model_validator(mode="after")
    def _scheduler_takes_fields(self) -> Self:
        chosen, given = self._chosen(), changed(self, *FIELDS)
        for name in given:
            if name not in (*self.scheduler.fields, *self.scheduler.arguments):
                other = "" if self.lr_scheduler_type else f"choose {_one_of(FIELDS[name])}, or "
                raise InvalidValue("setting-ignored", f"{chosen} takes no {name}: {other}{back_to_start(self, name)}")
        written = literals(self.lr_scheduler_args)
        for name, start in self.scheduler.needs.items():
            if name not in given and name not in written:
                raise InvalidValue("setting-missing", f"{chosen} needs {name} ({start})")
        warmup, decay = self.lr_warmup_steps, self.lr_decay_steps
        if warmup < 1 and decay < 1 < warmup + decay:
            raise InvalidValue(
                "schedule-too-long",
                f"lr_warmup_steps {warmup:g} and lr_decay_steps {decay:g} are more than the whole training",
            )
        return self

    @model_validator(mode="after")
    def _scheduler_takes_arguments(self) -> Self:
        written, own = literals(self.lr_scheduler_args), self._scheduler_arguments()
        _check_once(written, own, "lr_scheduler_args")
        _check_known(written, self.scheduler.arguments, self._chosen(), "lr_scheduler_args")
        rules = self.scheduler_argument("step_rules")
        if rules is not None and not (isinstance(rules, str) and _STEP_RULES.fullmatch(rules)):
            raise InvalidValue(
                "argument-value-invalid",
                f"step_rules {rules!r}: write factor:step pairs and the last factor, as 1:100,0.1:200,0.01",
            )
        return self

    def scheduler_argument(self, name: str) -> Any:
        """Return a field or an entry of lr_scheduler_args, if set."""
        return (literals(self.lr_scheduler_args) | self._scheduler_arguments()).get(name)

    def _chosen(self) -> str:
        own = self.lr_scheduler_type
        return f"lr_scheduler_type {own}" if own else f"lr_scheduler {self.lr_scheduler}"

    @model_validator(mode="after")
    def _optimizer_fits(self) -> Self:
        fields = {name: getattr(self, name) for name in ARGUMENTS if getattr(self, name) is not None}
        if strange := [name for name in fields if self.name not in ARGUMENTS[name]]:
            takers = ", ".join(sorted(ARGUMENTS[strange[0]] - {"auto"}))
            raise InvalidValue(
                "setting-ignored", f"optimizer_type {self.optimizer_type} takes no {strange[0]}: it is for {takers}"
            )
        betas = self._betas()
        if 0 < len(fields.keys() & set(betas)) < len(betas):
            raise InvalidValue(
                "setting-missing", f"{', '.join(betas[:-1])} and {betas[-1]} go together: set all of them, or none"
            )
        if self.warmup_init == "on" and self.relative_step == "off":
            raise InvalidValue("setting-missing", "warmup_init needs relative_step: Adafactor would turn it on again")
        written = literals(self.optimizer_args)
        _check_once(written, self._arguments(), "optimizer_args")
        if self.name in TAKES:
            _check_known(written, TAKES[self.name], f"optimizer_type {self.optimizer_type}", "optimizer_args")
        _check_values(written)
        return self

    @property
    def name(self) -> str:
        """The optimizer's class name."""
        return self.optimizer_type.rsplit(".", 1)[-1]

    def _betas(self) -> tuple[str, ...]:
        return ("beta1", "beta2", "beta3") if self.name in THREE_BETAS else ("beta1", "beta2")

    def _arguments(self) -> dict[str, Any]:
        """Return fields as the optimizer's arguments."""
        fields = {name: getattr(self, name) for name in ARGUMENTS if getattr(self, name) is not None}
        found = {name: value == "on" if value in ("on", "off") else value for name, value in fields.items()}
        names = self._betas()
        if found.keys() >= set(names):
            found["betas"] = tuple(found.pop(name) for name in names)
        return found

    def _scheduler_arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in changed(self, *SCHEDULER_ARGUMENTS)}

    def _argument(self, name: str) -> Any:
        """Return a field or an entry of optimizer_args, if set."""
        return (literals(self.optimizer_args) | self._arguments()).get(name)

    def check_rate(self, learning_rate: float) -> None:
        """Refuse a learning rate that trains almost nothing."""
        if self.name in LEARNS_RATE and learning_rate < LOWEST_RATE:
            raise MusubiError(
                "learning-rate-too-low",
                f"learning_rate {learning_rate:g} with {self.name} would train next to nothing",
                why="It finds the learning rate itself and multiplies it with this one.",
                fix="Set learning_rate to 1 in Training Config; d_coef makes finer changes.",
            )

    def options(self) -> dict[str, Any]:
        """Return computed options; steps below 1 are shares (v0.3.4)."""
        return {
            "optimizer_args": [*key_value_lines(self.optimizer_args), *_lines_of(self._arguments())],
            "lr_scheduler_args": [*key_value_lines(self.lr_scheduler_args), *_lines_of(self._scheduler_arguments())],
            **{name: _sent(name, getattr(self, name)) for name in self.scheduler.fields},
        }

    def package(self) -> str | None:
        """Return the package of the optimizer."""
        return next((p for p, types in PACKAGES.items() if self.optimizer_type in types), None)


def _sent(name: str, value: Any) -> Any:
    return value if name not in COUNTED or 0 < value < 1 else int(value)


def _lines_of(arguments: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in arguments.items()]


def _one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _check_once(written: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    if twice := sorted(written.keys() & own.keys()):
        raise InvalidValue("argument-twice", f"{twice[0]} is set twice: as a field and in {where}")


def _check_values(written: Mapping[str, Any]) -> None:
    for name, value in written.items():
        if name in NUMBERS and value is not None and not _is_number(value):
            raise InvalidValue("argument-value-invalid", f"{name}={value!r}: write one number, such as {name}=0.01")
        if name == "betas" and not (isinstance(value, tuple | list) and all(map(_is_number, value))):
            raise InvalidValue(
                "argument-value-invalid", f"betas={value!r}: write numbers in brackets, such as betas=(0.9, 0.999)"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_known(given: Iterable[str], known: Collection[str], who: str, where: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidValue(
                "argument-unknown", f"{who} takes no {name!r} in {where}{did_you_mean(name, list(known))}"
            )
