"""Qwen-Image's nodes without its scripts: what is sent for which version, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families import FP8, PLAIN
from musubi_nodes.families.context import Context
from musubi_nodes.families.settings import Memory
from musubi_nodes.testing.contract import check_all, options_of
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes_qwen_image import nodes
from musubi_nodes_qwen_image.nodes import NODES, QWEN_IMAGE, QwenImageGenerator, QwenImageModels

EDITS = ("edit", "edit-2509", "edit-2511")
PICTURE = np.zeros((1, 16, 16, 3), np.float32)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_its_script_accepts_each_option(node: Any) -> None:
    check_all([node])


def inputs(node: Any, version: str = "original", **values: Any) -> Any:
    return build(node.Inputs, models=build(QwenImageModels, model_version=version), **values)


def words(node: Any, given: Any) -> list[str]:
    return node().planned(given, options_of(node.script), "v0.3.4").argv({"save_path": "/out"})


def check(version: str, **values: Any) -> None:
    """All checks of a generator that need no file."""
    node, given = QwenImageGenerator(), inputs(QwenImageGenerator, version, **values)
    node.check_versions(given)
    node.check(given, Context(None, None, ""))  # type: ignore[arg-type]
    node._check_controls(given)


@pytest.mark.parametrize("node", [each for each in NODES if hasattr(each, "script")], ids=lambda node: node.id)
@pytest.mark.parametrize("version", ["original", *EDITS, "layered"])
def test_each_script_is_told_the_version(node: Any, version: str) -> None:
    sent = node().arguments(inputs(node, version), options_of(node.script), "v0.3.4")
    assert [each.value for each in sent if each.name == "model_version"] == [version]


def test_a_version_follows_from_the_models() -> None:
    architectures = {name: QWEN_IMAGE.version(name).architecture for name in QWEN_IMAGE.versions}
    assert architectures == {"original": "qi", **dict.fromkeys(EDITS, "qie"), "layered": "qil"}
    cache = nodes.QwenImageTextEncoderCache()
    read = {name: "control" in cache.made_from(QWEN_IMAGE.version(name)) for name in QWEN_IMAGE.versions}
    assert read == {"original": False, **dict.fromkeys(EDITS, True), "layered": False}


def test_an_empty_negative_prompt_is_a_blank_and_another_stays() -> None:
    assert "--negative_prompt= " in words(QwenImageGenerator, inputs(QwenImageGenerator))
    assert "--negative_prompt=red" in words(QwenImageGenerator, inputs(QwenImageGenerator, negative_prompt="red"))


def test_tiles_of_the_vae_are_spelled_as_the_generator_has_them() -> None:
    sent = words(QwenImageGenerator, inputs(QwenImageGenerator, memory=Memory(vae_tiling=True)))
    assert "--vae_enable_tiling" in sent and "--vae_tiling" not in sent


@pytest.mark.parametrize(
    ("version", "values", "size"),
    [
        ("original", {}, ""),
        ("edit", {}, "official"),
        ("edit-2511", {"resize_control": "off"}, ""),
        ("edit", {"mask": PICTURE}, "image"),
        ("edit", {"rcm_threshold": 0.2}, "image"),
        ("layered", {}, "image"),
    ],
)
def test_control_pictures_get_the_size_that_the_version_needs(version: str, values: dict[str, Any], size: str) -> None:
    sent = words(QwenImageGenerator, inputs(QwenImageGenerator, version, **values))
    flags = [word for word in sent if word.startswith("--resize_control_to_")]
    assert flags == ([f"--resize_control_to_{size}_size"] if size else [])


@pytest.mark.parametrize(
    ("version", "values", "code"),
    [
        ("original", {"mask": PICTURE}, "setting-other-version"),
        ("layered", {"rcm_threshold": 0.2}, "setting-other-version"),
        ("edit", {"output_layers": 2}, "setting-other-version"),
        ("edit", {"mask": PICTURE, "rcm_threshold": 0.2}, "settings-conflict"),
        ("edit", {"mask": PICTURE, "resize_control": "official"}, "settings-conflict"),
        ("original", {"control_image": PICTURE}, "control-image-unexpected"),
        ("edit", {}, "control-image-missing"),
    ],
)
def test_what_a_version_would_leave_out_is_refused(version: str, values: dict[str, Any], code: str) -> None:
    with fails(code):
        check(version, **values)
    check("edit", control_image=PICTURE, mask=PICTURE)


def test_samples_of_layered_may_have_frames_which_are_its_layers() -> None:
    trainer = nodes.QwenImageLoRATrainer()
    assert trainer.sample_rule(inputs(type(trainer), "layered")).fits(4)
    assert not trainer.sample_rule(inputs(type(trainer), "edit")).fits(4)


def test_a_lora_that_was_trained_on_wrapped_names_fits(tmp_path: Path) -> None:
    from musubi_nodes.families import check_fits

    place = Workplace(tmp_path)
    module = "transformer_blocks_0_attn_to_q"
    lora = place.lora(module)
    named = {"model.diffusion_model.transformer_blocks.0.attn.to_q.weight": (64, 64)}
    dit = place.weights("diffusion_models", "wrapped.safetensors", **named)
    assert check_fits(lora.path, dit) == "musubi"
    with fails("model-prefix-unsupported"):
        check_fits(lora.path, dit, merged=True)


@pytest.mark.parametrize(
    "module", ["attn.to_out.0", "attn.add_k_proj", "txt_mlp.net.0.proj", "img_mlp.net.2", "img_mod.1"]
)
def test_all_modules_that_the_trainer_changes_are_known(module: str) -> None:
    """``_mod_`` of its exclude_patterns fits no name with dots (networks/lora_qwen_image.py, v0.3.4)."""
    assert re.fullmatch(QWEN_IMAGE.lora_modules, f"transformer_blocks.0.{module}")


def test_a_vae_in_8_bits_is_not_taken() -> None:
    assert (nodes.VAE.quantised, nodes.DIT.quantised) == ((PLAIN,), (PLAIN, FP8))


def test_a_lora_of_qwen_image_is_called_so(tmp_path: Path) -> None:
    from musubi_nodes.families.recognition.loras import lora_name
    from musubi_nodes.weights import read_header

    lora = Workplace(tmp_path).lora("transformer_blocks_0_img_mlp_net_2")
    assert "Qwen-Image" in lora_name(read_header(lora.path))
