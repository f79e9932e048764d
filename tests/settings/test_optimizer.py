"""OPTIMIZER: fields become the optimizer's own arguments, and what contradicts itself is refused with the reason."""

from __future__ import annotations

import ast
from typing import Any, get_args

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.settings import Optimizer
from musubi_nodes.families.settings.optimizer_table import ARGUMENTS, LEARNS_RATE, PACKAGES, SCHEDULERS

TYPES = get_args(Optimizer.model_fields["optimizer_type"].annotation)
NAMES = {each.rsplit(".", 1)[-1] for each in TYPES}


def arguments(**values: Any) -> dict[str, Any]:
    """As musubi-tuner reads them (get_optimizer, v0.3.4)."""
    lines = Optimizer(**values).options()["optimizer_args"]
    return {key: ast.literal_eval(value) for key, value in (line.split("=") for line in lines)}


def test_fields_become_arguments_of_the_optimizer() -> None:
    made = arguments(optimizer_type="AdamW8bit", weight_decay=0.01, beta1=0.9, beta2=0.99, eps=1e-8)
    assert made == {"weight_decay": 0.01, "betas": (0.9, 0.99), "eps": 1e-8}
    assert arguments(optimizer_type="Adafactor", relative_step="off", scale_parameter="off") == {
        "relative_step": False,
        "scale_parameter": False,
    }
    prodigy = arguments(
        optimizer_type="prodigyopt.Prodigy", d_coef=2.0, safeguard_warmup="on", optimizer_args="decouple=True"
    )
    assert prodigy == {"decouple": True, "d_coef": 2.0, "safeguard_warmup": True}


def test_nothing_set_means_nothing_sent() -> None:
    assert arguments() == {}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"optimizer_type": "SGD", "beta1": 0.9, "beta2": 0.99}, "SGD takes no beta1: it is for"),
        ({"d_coef": 2.0}, "takes no d_coef: it is for Prodigy"),
        ({"optimizer_type": "Adafactor", "eps": 1e-8}, "takes no eps"),
        ({"optimizer_type": "AdamW", "relative_step": "on"}, "takes no relative_step: it is for Adafactor"),
        ({"beta1": 0.9}, "go together"),
        ({"weight_decay": 0.1, "optimizer_args": "weight_decay=0.2"}, "weight_decay is set twice"),
        ({"beta1": 0.9, "beta2": 0.99, "optimizer_args": "betas=(0.9, 0.95)"}, "betas is set twice"),
        (
            {"optimizer_type": "Adafactor", "relative_step": "off", "warmup_init": "on"},
            "warmup_init needs relative_step",
        ),
        ({"optimizer_type": "Adafactor", "lr_scheduler": "cosine"}, "finds the learning rate itself: cosine would be"),
        ({"optimizer_type": "schedulefree.AdamWScheduleFree", "lr_scheduler": "cosine"}, "has no scheduler"),
        ({"lr_scheduler_type": "StepLR", "lr_scheduler": "cosine", "lr_scheduler_args": "step_size=9"}, "is set"),
        ({"lr_scheduler_type": "CosineAnnealingLR"}, "needs T_max in lr_scheduler_args"),
        ({"lr_scheduler_type": "os.system"}, "Input should be"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Optimizer(**values)


def test_a_scheduler_of_pytorch_is_sent_with_its_arguments() -> None:
    made = Optimizer(lr_scheduler_type="CosineAnnealingLR", lr_scheduler_args="T_max=800\neta_min=1e-6")
    assert made.options()["lr_scheduler_args"] == ["T_max=800", "eta_min=1e-6"]


@pytest.mark.parametrize("name", sorted(LEARNS_RATE))
def test_an_optimizer_that_finds_its_rate_is_not_slowed_down_to_nothing(name: str) -> None:
    optimizer = Optimizer(optimizer_type=next(each for each in TYPES if each.endswith(f".{name}")))
    optimizer.check_rate(1.0)
    with pytest.raises(MusubiError, match="next to nothing"):
        optimizer.check_rate(1e-4)
    Optimizer(optimizer_type="AdamW").check_rate(1e-4)


def test_the_table_names_only_optimizers_that_can_be_chosen() -> None:
    assert set().union(*ARGUMENTS.values()) <= NAMES and LEARNS_RATE <= NAMES
    assert ARGUMENTS["weight_decay"] == NAMES
    assert {each for types in PACKAGES.values() for each in types} <= set(TYPES)
    offered = Optimizer.model_fields["lr_scheduler_type"].annotation
    assert set(get_args(get_args(offered)[0])) == set(SCHEDULERS)


def test_adafactor_that_takes_the_learning_rate_takes_a_scheduler_too() -> None:
    Optimizer(optimizer_type="Adafactor", relative_step="off", lr_scheduler="constant_with_warmup")
    Optimizer(optimizer_type="Adafactor", optimizer_args="relative_step=False", lr_scheduler="constant_with_warmup")
