"""What another length changes in the learning rate of a training that goes on."""

from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.families.settings import Optimizer
from musubi_nodes.families.settings.schedules import length_change


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"lr_warmup_steps": 0.1}, "the rate is 0.00316 at step 80, over 160 steps 0.00447"),
        ({"lr_warmup_steps": 0.1, "lr_scheduler_timescale": 40}, "over 160 steps"),
        ({"lr_warmup_steps": 8}, ""),
        ({"lr_warmup_steps": 0}, ""),
    ],
)
def test_a_warm_up_that_is_a_share_bends_the_whole_of_inverse_sqrt(values: dict[str, Any], told: str) -> None:
    optimizer = Optimizer(optimizer_type="AdamW", lr_scheduler="inverse_sqrt", **values)
    found = length_change(optimizer, 0.01, 80, 80, 160)
    assert told in found and bool(told) == bool(found)


@pytest.mark.parametrize(("step", "told"), [(10, True), (40, False)])
def test_a_warm_up_that_is_over_in_both_lengths_changes_nothing(step: int, told: bool) -> None:
    optimizer = Optimizer(optimizer_type="AdamW", lr_scheduler="constant_with_warmup", lr_warmup_steps=0.2)
    assert bool(length_change(optimizer, 0.01, step, 80, 160)) == told


@pytest.mark.parametrize(
    "values", [{"num_cycles": 1.0}, {"lr_scheduler_args": "num_cycles=1.0"}, {"num_cycles": 1.0, "lr_warmup_steps": 8}]
)
def test_the_waves_of_a_cosine_are_reckoned_with(values: dict[str, Any]) -> None:
    """Two whole falls: back at the full rate at the end of the old length, at nothing in the middle of the new one."""
    found = length_change(Optimizer(lr_scheduler="cosine", **values), 0.01, 80, 80, 160)
    assert "the rate is 0.01 at step 80" in found
    assert "over 160 steps 0" in found or "e-" in found
