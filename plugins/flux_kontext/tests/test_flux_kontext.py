"""FLUX.1 Kontext's nodes without its scripts: what is sent, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families.settings import Memory
from musubi_nodes.testing.contract import Case, check_all
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes_flux_kontext import nodes
from musubi_nodes_flux_kontext.nodes import NODES, KontextGenerator, KontextLoRATrainer

PICTURE = np.zeros((1, 16, 16, 3), np.float32)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_its_script_accepts_each_option(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)


def words(node: Any, **values: Any) -> list[str]:
    return Case(node, "", build(node.Inputs, **values)).words()


def test_the_generator_has_no_negative_prompt_and_knows_its_own_guidance() -> None:
    sent = words(KontextGenerator, embedded_cfg_scale=3.0)
    assert "--embedded_cfg_scale=3.0" in sent and "--no_resize_control" not in sent
    assert not [word for word in sent if word.startswith(("--negative_prompt", "--guidance_scale"))]
    assert KontextGenerator.replaced()["guidance_scale"] == "embedded_cfg_scale"


@pytest.mark.parametrize(("count", "code"), [(0, "control-image-missing"), (2, "control-image-unexpected")])
def test_another_number_of_control_pictures_is_refused(count: int, code: str) -> None:
    node = KontextGenerator()
    given = np.zeros((count, 16, 16, 3), np.float32) if count else None
    with fails(code):
        node._check_controls(build(node.Inputs, control_image=given))
    node._check_controls(build(node.Inputs, control_image=PICTURE))


def test_samples_take_flux_1s_own_shift() -> None:
    assert KontextLoRATrainer().sample_options(build(KontextLoRATrainer.Inputs)) == {"discrete_flow_shift": 0}


def test_plain_fp8_is_for_training_only() -> None:
    with fails("setting-not-possible", "fp8"):
        words(KontextGenerator, memory=Memory(fp8="fp8"))
    assert "--fp8_base" in words(KontextLoRATrainer, memory=Memory(fp8="fp8"))


@pytest.mark.parametrize("node", [nodes.KontextTextEncoderCache, KontextLoRATrainer, KontextGenerator])
def test_an_option_that_fails_is_refused(node: Any) -> None:
    with fails("option-refused", "fp8_t5"):
        words(node, extra_options="fp8_t5 = true")


def test_a_lora_that_was_trained_on_wrapped_names_can_be_used(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    lora = place.lora("double_blocks_0_img_attn_proj")
    named = {"model.diffusion_model.double_blocks.0.img_attn.proj.weight": (64, 64)}
    dit = place.weights("diffusion_models", "wrapped.safetensors", **named)
    models = nodes.KontextModels.model_construct(dit=str(dit))
    inputs = build(KontextGenerator.Inputs, models=models, lora=lora)
    KontextGenerator()._check_loras(inputs)
