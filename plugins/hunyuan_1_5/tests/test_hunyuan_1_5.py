"""HunyuanVideo 1.5's nodes without its scripts: what is sent for which task, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.training.sample_prompts import check_prompts
from musubi_nodes.testing.contract import Case, check_all
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes_hunyuan_1_5 import nodes
from musubi_nodes_hunyuan_1_5.nodes import HUNYUAN_1_5, NODES, Hunyuan15Generator, Hunyuan15Models

PICTURE = np.zeros((1, 16, 16, 3), np.float32)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_its_script_accepts_each_option(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)


def inputs(node: Any, task: str, **values: Any) -> Any:
    models = build(Hunyuan15Models, task=task, image_encoder="siglip.safetensors")
    return build(node.Inputs, models=models, **values)


@pytest.mark.parametrize("node", [nodes.Hunyuan15LatentCache, nodes.Hunyuan15LoRATrainer, Hunyuan15Generator])
@pytest.mark.parametrize("task", ["t2v", "i2v"])
def test_the_image_encoder_is_for_i2v_only(node: Any, task: str) -> None:
    sent = Case(node, "", inputs(node, task)).words()
    assert ("--image_encoder=siglip.safetensors" in sent) == (task == "i2v")
    assert ("--i2v" in sent) == (task == "i2v" and node is nodes.Hunyuan15LatentCache)


def test_a_training_needs_a_cache_of_its_task() -> None:
    for task, flags in (("t2v", set()), ("i2v", {"i2v"})):
        assert nodes.Hunyuan15LatentCache().cache_flags(inputs(nodes.Hunyuan15LatentCache, task)) == flags
        assert nodes.Hunyuan15LoRATrainer().needed_flags(inputs(nodes.Hunyuan15LoRATrainer, task)) == flags


@pytest.mark.parametrize(
    ("task", "image", "code"),
    [("i2v", None, "start-image-missing"), ("t2v", PICTURE, "start-image-unexpected")],
)
def test_the_first_frame_is_for_i2v_only(task: str, image: Any, code: str) -> None:
    node, context = Hunyuan15Generator(), Context(None, None, "")  # type: ignore[arg-type]
    with fails(code):
        node.check(inputs(Hunyuan15Generator, task, image=image), context)
    node.check(inputs(Hunyuan15Generator, task, image=None if task == "t2v" else PICTURE), context)


def test_i2v_without_its_image_encoder_is_refused() -> None:
    with fails("model-missing", "image encoder"):
        build(Hunyuan15Models, task="i2v", image_encoder=None).check({})


def test_the_8_bits_of_the_text_encoder_are_for_cache_and_training() -> None:
    saving = Memory(fp8_text_encoder=True)
    for node, there in ((nodes.Hunyuan15TextEncoderCache, True), (Hunyuan15Generator, False)):
        assert ("--fp8_vl" in Case(node, "", inputs(node, "t2v", memory=saving)).words()) == there


def test_samples_have_the_generators_shift_and_no_embedded_guidance() -> None:
    assert HUNYUAN_1_5.sample_options == {"discrete_flow_shift": 7.0}
    with fails("input-unexpected", "guidance_scale"):
        check_prompts([Prompt(prompt="a", guidance_scale=2.0)], HUNYUAN_1_5.frame_rule, HUNYUAN_1_5)


def test_i2v_takes_videos_only(tmp_path: Path) -> None:
    context = Context(None, None, "")  # type: ignore[arg-type]
    place, node = Workplace(tmp_path), nodes.Hunyuan15LatentCache
    pictures = place.load(place.dataset(count=1))
    node().check(inputs(node, "t2v", dataset=pictures), context)
    with fails("pictures-not-allowed", "i2v"):
        node().check(inputs(node, "i2v", dataset=pictures), context)
