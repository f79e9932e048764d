"""FLUX.2's nodes without its scripts: what is sent for which version, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.training.sample_prompts import check_prompts
from musubi_nodes.testing.contract import Case, check_all
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes_flux_2 import nodes
from musubi_nodes_flux_2.nodes import FLUX_2, NODES, Flux2Generator, Flux2Models

ARCHITECTURES = {
    **dict.fromkeys(("klein-base-4b", "klein-4b"), "f2k4b"),
    **dict.fromkeys(("klein-base-9b", "klein-9b"), "f2k9b"),
    "dev": "f2d",
}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_its_script_accepts_each_option(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)


def inputs(node: Any, version: str, **values: Any) -> Any:
    return build(node.Inputs, models=build(Flux2Models, model_version=version), **values)


def words(node: Any, version: str, **values: Any) -> list[str]:
    return Case(node, "", inputs(node, version, **values)).words()


@pytest.mark.parametrize("node", [each for each in NODES if hasattr(each, "script")], ids=lambda node: node.id)
@pytest.mark.parametrize("version", ARCHITECTURES)
def test_each_script_is_told_the_version(node: Any, version: str) -> None:
    assert f"--model_version={version}" in words(node, version)


def test_the_caches_of_a_size_are_its_own() -> None:
    assert {name: FLUX_2.version(name).architecture for name in FLUX_2.versions} == ARCHITECTURES


@pytest.mark.parametrize(("version", "steps"), [("klein-4b", 4), ("klein-9b", 4), ("klein-base-9b", 50), ("dev", 50)])
def test_steps_follow_from_the_version_unless_they_are_given(version: str, steps: int) -> None:
    assert f"--infer_steps={steps}" in words(Flux2Generator, version)
    assert "--infer_steps=9" in words(Flux2Generator, version, infer_steps=9)


@pytest.mark.parametrize(
    ("version", "possible"),
    [
        ("klein-base-4b", {"negative_prompt", "guidance_scale"}),
        ("klein-4b", set()),
        ("dev", {"embedded_cfg_scale"}),
    ],
)
def test_a_version_takes_its_own_guidance_only(version: str, possible: set[str]) -> None:
    for name, value in {"negative_prompt": "red", "guidance_scale": 2.0, "embedded_cfg_scale": 2.0}.items():
        given = inputs(Flux2Generator, version, **{name: value})
        if name in possible:
            Flux2Generator()._check_ignored(given)
        else:
            with fails("setting-other-version", version, name):
                Flux2Generator()._check_ignored(given)


@pytest.mark.parametrize(("version", "name"), [("klein-base-9b", "cfg_scale"), ("dev", "guidance_scale")])
def test_a_samples_guidance_is_that_of_the_generator(version: str, name: str) -> None:
    family, rule = FLUX_2.version(version), FLUX_2.frame_rule
    check_prompts([Prompt(prompt="a", **{name: 2.0})], rule, family)
    assert family.sample_keys.get(name, name) == "guidance_scale"
    with fails("input-unexpected", name):
        check_prompts([Prompt(prompt="a", **{name: 2.0})], rule, FLUX_2.version("klein-4b"))


def test_dev_has_no_text_encoder_in_8_bits() -> None:
    saving = Memory(fp8_text_encoder=True)
    assert "--fp8_text_encoder" in words(nodes.Flux2TextEncoderCache, "klein-9b", memory=saving)
    assert "--fp8_text_encoder" not in words(nodes.Flux2TextEncoderCache, "dev", memory=saving)
