"""SAMPLING: what the chosen way to draw timesteps would ignore is refused with the reason."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from musubi_nodes.families.settings import Sampling
from musubi_nodes.families.settings.timesteps import FIELDS, SCHEMES, TAKES, ignored
from musubi_nodes.testing.errors import fails

WORTH: dict[str, Any] = {
    "discrete_flow_shift": 3.0,
    "sigmoid_scale": 2.0,
    "logit_mean": 0.5,
    "logit_std": 2.0,
    "mode_scale": 1.0,
    "preserve_distribution_shape": True,
    "num_timestep_buckets": 5,
}


def made(**values: Any) -> Sampling:
    return Sampling(max_timestep=500, **values)


@pytest.mark.parametrize("sampling", sorted(TAKES))
def test_a_way_to_draw_takes_its_own_fields_and_no_other(sampling: str) -> None:
    own = {name: WORTH[name] for name in TAKES[sampling]}
    assert made(timestep_sampling=sampling, **own)
    for name in sorted(set(FIELDS) - set(own)):
        with fails("setting-ignored", sampling, name):
            made(timestep_sampling=sampling, **{name: WORTH[name]})


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_weighting_that_is_a_way_to_draw_needs_sigma(scheme: str) -> None:
    own = {name: WORTH[name] for name in SCHEMES[scheme]}
    for sampling in ("sigma", None):
        assert made(timestep_sampling=sampling, weighting_scheme=scheme, **own)
    with fails("setting-ignored", f"weighting_scheme {scheme}", "shift", "sigma"):
        made(timestep_sampling="shift", weighting_scheme=scheme)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"timestep_sampling": "flux_shift", "discrete_flow_shift": 3.0}, "discrete_flow_shift sigma shift -1"),
        ({"timestep_sampling": "sigma", "logit_mean": 1.0}, "logit_mean sigma weighting_scheme logit_normal 0"),
        ({"mode_scale": 1.0}, "weighting_scheme none mode_scale 1.29"),
        ({"weighting_scheme": "cosmap", "mode_scale": 1.0}, "weighting_scheme cosmap mode_scale"),
        ({"timestep_sampling": "sigma", "num_timestep_buckets": 9}, "num_timestep_buckets 1"),
    ],
)
def test_a_refusal_tells_who_takes_it_and_how_to_take_it_back(values: dict[str, Any], named: str) -> None:
    with fails("setting-ignored", *named.split()):
        Sampling(**values)


def test_a_shape_without_a_range_is_refused() -> None:
    with fails("setting-missing", "preserve_distribution_shape"):
        Sampling(preserve_distribution_shape=True)


def test_what_the_familys_own_way_may_take_is_left_to_its_trainer() -> None:
    for name in sorted(set(FIELDS) - {"mode_scale"}):
        assert made(**{name: WORTH[name]})
    assert "logit_mean" in made(logit_mean=1.0).ignored("shift")
    assert made(discrete_flow_shift=3.0).ignored("shift") == ""


def test_the_table_knows_every_way_to_draw_and_none_besides() -> None:
    annotation = Sampling.model_fields["timestep_sampling"].annotation
    names = {name for part in get_args(annotation) for name in get_args(part)}
    assert set(TAKES) == names
    assert ignored("a family's own", "none", ["logit_mean"]) == ("", "")


def test_the_help_names_the_ways_that_take_a_field() -> None:
    for name in sorted({name for fields in SCHEMES.values() for name in fields}):
        said = Sampling.model_fields[name].description or ""
        assert "sigma with weighting_scheme" in said.partition(": ")[0]
    assert "logsnr, qinglong_flux" in (Sampling.model_fields["logit_mean"].description or "")
