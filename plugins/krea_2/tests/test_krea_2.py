"""Krea 2's nodes without its scripts: what is sent, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.families.settings import Memory, Sampling
from musubi_nodes.testing.contract import Case, check_all
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes_krea_2.nodes import NODES, Krea2Generator, Krea2LoRATrainer, Krea2Models


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_its_script_accepts_each_option(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)


def words(node: Any, **values: Any) -> list[str]:
    return Case(node, "", build(node.Inputs, **values)).words()


def test_the_prompt_is_positional_and_options_have_the_scripts_own_names() -> None:
    sent = words(Krea2Generator, prompt="a fox", width=1280, height=768, infer_steps=8, mu=1.15)
    assert sent[0] == "a fox" and {"--width=1280", "--height=768", "--steps=8", "--mu=1.15"} <= {*sent}
    assert not [
        word for word in sent if word.startswith(("--prompt", "--image_size", "--output_type", "--infer_steps"))
    ]
    assert Krea2Generator.lines()["cfg_scale"] == "g" and Krea2Generator.lines()["steps"] == "s"


def test_it_writes_pictures_only() -> None:
    assert {spec.name for spec in Krea2Generator.outputs()} == {"images", "run"}
    assert not {"latent", "output_type"} & {spec.name for spec in Krea2Generator.fields()}


@pytest.mark.parametrize(
    ("node", "scaled"), [(Krea2Generator, ["--fp8_scaled"]), (Krea2LoRATrainer, ["--fp8_base", "--fp8_scaled"])]
)
def test_fp8_is_scaled_or_not_at_all(node: Any, scaled: list[str]) -> None:
    sent = words(node, memory=Memory(fp8="fp8_scaled"))
    assert [word for word in sent if "fp8" in word] == scaled
    with fails("setting-not-possible", "fp8"):
        words(node, memory=Memory(fp8="fp8"))


@pytest.mark.parametrize("node", [Krea2Generator, Krea2LoRATrainer])
def test_more_than_26_blocks_are_refused(node: Any) -> None:
    node().check_memory(build(node.Inputs, memory=Memory(blocks_to_swap=26)))
    with fails("blocks-to-swap-too-large", 26):
        node().check_memory(build(node.Inputs, memory=Memory(blocks_to_swap=27)))


def test_samples_on_turbo_exclude_swapped_blocks() -> None:
    turbo = build(Krea2Models, turbo_dit="turbo.safetensors")
    sampling = Sampling(sample_prompts="a fox", sample_every_n_epochs=1)
    given = build(Krea2LoRATrainer.Inputs, models=turbo, sampling=sampling)
    assert any(word.startswith("--turbo_dit=") for word in Case(Krea2LoRATrainer, "", given).words())
    Krea2LoRATrainer().check_samples(given)
    with fails("settings-conflict", "turbo_dit"):
        Krea2LoRATrainer().check_samples(given.model_copy(update={"memory": Memory(blocks_to_swap=2)}))
