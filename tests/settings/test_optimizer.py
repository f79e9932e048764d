"""OPTIMIZER: fields become the optimizer's own arguments, and what contradicts itself is refused with the reason."""

from __future__ import annotations

import ast
from typing import Any, get_args

import pytest

from musubi_nodes.families.settings import Network, Optimizer
from musubi_nodes.families.settings.optimizer_table import ARGUMENTS, LEARNS_RATE, PACKAGES, TAKES
from musubi_nodes.families.settings.schedulers import FIELDS, OF_PYTORCH, SCHEDULERS
from musubi_nodes.families.settings.schedules import CURVES
from musubi_nodes.testing.errors import fails

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


def test_arguments_may_stand_on_one_line() -> None:
    line = "weight_decay=0.01 betas=0.9,0.99  eps=1e-8"
    assert arguments(optimizer_type="AdamW", optimizer_args=line) == {
        "weight_decay": 0.01, "betas": (0.9, 0.99), "eps": 1e-8,
    }  # fmt: skip
    assert arguments(optimizer_type="AdamW", optimizer_args="betas=(0.9, 0.99) eps=1e-8")["betas"] == (0.9, 0.99)


def test_an_optimizer_of_three_betas_gets_three() -> None:
    betas = {"beta1": 0.9, "beta2": 0.999, "beta3": 0.9999}
    for name in ("came_pytorch.CAME", "bitsandbytes.optim.AdEMAMix8bit"):
        assert arguments(optimizer_type=name, **betas) == {"betas": (0.9, 0.999, 0.9999)}
    assert arguments(optimizer_type="prodigyopt.Prodigy", beta3=0.99) == {"beta3": 0.99}
    assert arguments(optimizer_type="AdamW", amsgrad="on", fused="on") == {"amsgrad": True, "fused": True}


def test_nothing_set_means_nothing_sent() -> None:
    assert arguments() == {}


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        ({"optimizer_type": "SGD", "beta1": 0.9, "beta2": 0.99}, "setting-ignored", "SGD beta1"),
        ({"d_coef": 2.0}, "setting-ignored", "d_coef Prodigy"),
        ({"optimizer_type": "Adafactor", "eps": 1e-8}, "setting-ignored", "eps"),
        ({"optimizer_type": "AdamW", "relative_step": "on"}, "setting-ignored", "relative_step Adafactor"),
        ({"beta1": 0.9}, "setting-missing", "beta1 beta2"),
        ({"weight_decay": 0.1, "optimizer_args": "weight_decay=0.2"}, "argument-twice", "weight_decay optimizer_args"),
        (
            {"beta1": 0.9, "beta2": 0.99, "optimizer_args": "betas=(0.9, 0.95)"},
            "argument-twice",
            "betas optimizer_args",
        ),
        (
            {"optimizer_type": "Adafactor", "relative_step": "off", "warmup_init": "on"},
            "setting-missing",
            "warmup_init relative_step",
        ),
        ({"optimizer_type": "Adafactor", "lr_scheduler": "cosine"}, "setting-ignored", "Adafactor cosine"),
        (
            {"optimizer_type": "schedulefree.AdamWScheduleFree", "lr_scheduler": "cosine"},
            "setting-ignored",
            "AdamWScheduleFree cosine",
        ),
        (
            {"lr_scheduler_type": "StepLR", "lr_scheduler": "cosine", "lr_scheduler_args": "step_size=9"},
            "setting-ignored",
            "lr_scheduler_type cosine",
        ),
        ({"lr_scheduler_type": "CosineAnnealingLR"}, "setting-missing", "T_max 1000,"),
        (
            {"lr_scheduler_type": "StepLR", "step_size": 9, "lr_scheduler_args": "step_size=8"},
            "argument-twice",
            "step_size lr_scheduler_args",
        ),
        ({"T_max": 9}, "setting-ignored", "constant T_max CosineAnnealingLR"),
        ({"optimizer_type": "came_pytorch.CAME", "beta1": 0.9, "beta2": 0.99}, "setting-missing", "beta1 beta2 beta3"),
        ({"beta3": 0.99}, "setting-ignored", "beta3 AdEMAMix8bit CAME PagedAdEMAMix8bit Prodigy"),
        ({"amsgrad": "on"}, "setting-ignored", "amsgrad Adam AdamW"),
        ({"optimizer_type": "NAdam", "fused": "on"}, "setting-ignored", "NAdam fused"),
        ({"lr_scheduler_type": "os.system"}, "literal-error", "lr_scheduler_type"),
        ({"optimizer_args": "foo='a=b'"}, "argument-not-key-value", "foo='a=b'"),
        (
            {"optimizer_type": "Adafactor", "optimizer_args": "scale_parameter=false"},
            "argument-value-invalid",
            "scale_parameter=false False",
        ),
        ({"optimizer_args": "weight_decay=none"}, "argument-value-invalid", "weight_decay=none None"),
        ({"optimizer_args": "weight_decay=much"}, "argument-value-invalid", "weight_decay=much"),
        ({"optimizer_args": "weight_decay=0.1\nweight_decay=0.2"}, "argument-twice", "weight_decay"),
        (
            {"optimizer_type": "AdamW", "optimizer_args": "wieght_decay=0.1"},
            "argument-unknown",
            "AdamW optimizer_args 'wieght_decay' 'weight_decay'",
        ),
        ({"optimizer_args": "lr=0.1"}, "argument-unknown", "'lr' optimizer_args"),
        ({"lr_scheduler_args": "gamma=0.9"}, "argument-unknown", "constant 'gamma' lr_scheduler_args"),
        (
            {"lr_scheduler_type": "StepLR", "lr_scheduler_args": "step_size=9\ngama=0.9"},
            "argument-unknown",
            "StepLR lr_scheduler_args 'gama' 'gamma'",
        ),
        (
            {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": 0.6, "lr_decay_steps": 0.6},
            "schedule-too-long",
            "lr_warmup_steps lr_decay_steps 0.6",
        ),
        ({"lr_scheduler": "piecewise_constant"}, "setting-missing", "step_rules 1:100,"),
        ({"lr_scheduler": "piecewise_constant", "step_rules": "1:10"}, "argument-value-invalid", "step_rules '1:10'"),
        (
            {"lr_scheduler": "piecewise_constant", "lr_scheduler_args": "step_rules='1:10'"},
            "argument-value-invalid",
            "step_rules '1:10'",
        ),
        ({"lr_scheduler": "adafactor"}, "setting-missing", "optimizer_type Adafactor"),
        (
            {"lr_scheduler": "adafactor", "optimizer_type": "Adafactor", "relative_step": "off"},
            "setting-missing",
            "relative_step",
        ),
        (
            {"optimizer_type": "schedulefree.AdamWScheduleFree", "lr_warmup_steps": 10},
            "setting-ignored",
            "lr_warmup_steps",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(values: dict[str, Any], code: str, named: str) -> None:
    with fails(code, *named.split()):
        Optimizer(**values)


WORTH = {
    "lr_warmup_steps": 10,
    "lr_decay_steps": 0.2,
    "lr_scheduler_num_cycles": 3,
    "lr_scheduler_power": 2.0,
    "lr_scheduler_timescale": 100,
    "lr_scheduler_min_lr_ratio": 0.1,
    "T_max": 800,
    "T_0": 100,
    "eta_min": 1e-6,
    "step_size": 9,
    "gamma": 0.9,
    "max_lr": 1e-4,
    "total_steps": 1000,
    "total_iters": 50,
    "num_cycles": 1.5,
    "lr_end": 1e-6,
    "step_rules": "1:10,0.1",
}


def chosen(scheduler: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """The scheduler with all that it needs, and values for ``fields``."""
    values = {name: WORTH[name] for name in (*fields, *SCHEDULERS[scheduler].needs)}
    where = "lr_scheduler_type" if scheduler in OF_PYTORCH else "lr_scheduler"
    kind = "Adafactor" if scheduler == "adafactor" else "auto"
    return {where: scheduler, "optimizer_type": kind, **values}


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_a_scheduler_takes_and_sends_its_own_fields_and_no_other(scheduler: str) -> None:
    options = SCHEDULERS[scheduler].fields
    own = (*options, *(name for name in SCHEDULERS[scheduler].arguments if name in FIELDS))
    sent = Optimizer(**chosen(scheduler, own)).options()
    lines = [line.split("=") for line in sent.pop("lr_scheduler_args")]
    assert {name: sent[name] for name in FIELDS if name in sent} == {name: WORTH[name] for name in options}
    assert {name: ast.literal_eval(value) for name, value in lines} == {
        name: WORTH[name] for name in own if name not in options
    }
    for name in sorted(set(FIELDS) - set(own)):
        with fails("setting-ignored", name):
            Optimizer(**chosen(scheduler, (*own, name)))


def test_what_a_scheduler_cannot_do_without_has_a_field() -> None:
    """Nobody has to learn the text lines to use one."""
    assert {name for each in SCHEDULERS.values() for name in each.needs} <= FIELDS.keys()
    assert FIELDS.keys() <= Optimizer.model_fields.keys()
    for name in FIELDS:
        assert FIELDS[name], f"no scheduler takes {name}"


def test_the_help_names_the_schedulers_that_take_a_field() -> None:
    for name, takers in FIELDS.items():
        said = Optimizer.model_fields[name].description or ""
        if name != "lr_warmup_steps":  # all but two or three take it
            assert said.startswith(", ".join(takers) + ": ")


def test_the_advice_of_a_refusal_is_not_refused_in_turn() -> None:
    with fails("setting-ignored", "StepLR", "lr_warmup_steps") as told:
        Optimizer(lr_scheduler_type="StepLR", lr_scheduler_args="step_size=9", lr_warmup_steps=10)
    assert "constant_with_warmup" not in str(told.value)
    with fails("setting-ignored", "lr_scheduler_type", "cosine"):
        Optimizer(lr_scheduler_type="CosineAnnealingLR", lr_scheduler_args="T_max=9", lr_scheduler="cosine")


def test_an_argument_of_an_optimizer_that_nobody_knows_is_sent() -> None:
    given = {"optimizer_type": "prodigyplus.ProdigyPlusScheduleFree", "optimizer_args": "use_something_new=True"}
    assert arguments(**given) == {"use_something_new": True}


def test_a_piecewise_rate_and_adafactors_own_can_be_chosen() -> None:
    made = Optimizer(lr_scheduler="piecewise_constant", lr_scheduler_args='step_rules="1:100,0.1:200,0.01"')
    assert made.options()["lr_scheduler_args"] == ['step_rules="1:100,0.1:200,0.01"']
    assert Optimizer(optimizer_type="Adafactor", lr_scheduler="adafactor").lr_scheduler == "adafactor"


def test_a_field_and_a_line_of_one_scheduler_are_sent_together() -> None:
    made = Optimizer(lr_scheduler_type="OneCycleLR", max_lr=1e-4, lr_scheduler_args="total_steps=800\npct_start=0.1")
    assert made.options()["lr_scheduler_args"] == ["total_steps=800", "pct_start=0.1", "max_lr=0.0001"]


def test_a_scheduler_of_pytorch_is_sent_with_its_arguments() -> None:
    made = Optimizer(lr_scheduler_type="CosineAnnealingLR", lr_scheduler_args="T_max=800\neta_min=1e-6")
    assert made.options()["lr_scheduler_args"] == ["T_max=800", "eta_min=1e-6"]


@pytest.mark.parametrize("name", sorted(LEARNS_RATE))
def test_an_optimizer_that_finds_its_rate_is_not_slowed_down_to_nothing(name: str) -> None:
    optimizer = Optimizer(optimizer_type=next(each for each in TYPES if each.endswith(f".{name}")))
    optimizer.check_rate(1.0)
    with fails("learning-rate-too-low", 1e-4):
        optimizer.check_rate(1e-4)
    Optimizer(optimizer_type="AdamW").check_rate(1e-4)


def test_the_table_names_only_optimizers_that_can_be_chosen() -> None:
    assert set().union(*ARGUMENTS.values()) <= NAMES and LEARNS_RATE <= NAMES
    assert ARGUMENTS["weight_decay"] == NAMES
    assert {each for types in PACKAGES.values() for each in types} <= set(TYPES)
    assert set(TAKES) <= NAMES
    offered = Optimizer.model_fields["lr_scheduler_type"].annotation
    assert set(get_args(get_args(offered)[0])) == set(OF_PYTORCH)
    named = set(get_args(Optimizer.model_fields["lr_scheduler"].annotation))
    assert named == SCHEDULERS.keys() - OF_PYTORCH and named >= CURVES.keys()


def test_adafactor_that_takes_the_learning_rate_takes_a_scheduler_too() -> None:
    Optimizer(optimizer_type="Adafactor", relative_step="off", lr_scheduler="constant_with_warmup")
    Optimizer(optimizer_type="Adafactor", optimizer_args="relative_step=False", lr_scheduler="constant_with_warmup")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("weight_decay=0.01, eps=1e-8", "argument-not-key-value"),
        ("weight_decay=0.01,\neps=1e-8", "argument-not-key-value"),
        ("weight_decay=0.01;", "argument-not-key-value"),
        ("weight_decay='0.01'", "argument-value-invalid"),
        ("weight_decay=(0.01,)", "argument-value-invalid"),
        ("weight_decay=True", "argument-value-invalid"),
        ("betas=0.9", "argument-value-invalid"),
        ("betas=('0.9', 0.999)", "argument-value-invalid"),
    ],
)
def test_a_value_that_the_optimizer_would_refuse_once_all_is_loaded_is_refused_at_once(
    arguments: str, code: str
) -> None:
    with fails(code, arguments.partition("=")[0]):
        Optimizer(optimizer_type="AdamW", optimizer_args=arguments)


@pytest.mark.parametrize("arguments", ["betas=(0.9, 0.999) eps=1e-8", "betas=[0.9, 0.99]\nweight_decay=0", "eps=1e-8"])
def test_values_that_it_takes_are_left_alone(arguments: str) -> None:
    Optimizer(optimizer_type="AdamW", optimizer_args=arguments)


@pytest.mark.parametrize("arguments", ["loraplus_lr_ratio=4,", "verbose=True;"])
def test_a_comma_between_arguments_of_the_network_is_refused(arguments: str) -> None:
    with fails("argument-not-key-value", arguments):
        Network(network_args=arguments)


def test_a_comma_between_arguments_of_the_scheduler_is_refused() -> None:
    with fails("argument-not-key-value", "step_size=10,"):
        Optimizer(lr_scheduler_type="torch.optim.lr_scheduler.StepLR", lr_scheduler_args="step_size=10, gamma=0.5")
