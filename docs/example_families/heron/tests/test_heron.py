"""Heron's nodes: the contract with their scripts, and the whole way from pictures to a video on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families import Failure
from musubi_nodes.testing.contract import check_all, set_twice
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.family_place import FamilyPlace
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes_heron import musubi_explain_error
from musubi_nodes_heron.nodes import NODES

MODELS = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}
SMALL = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}


class HeronPlace(FamilyPlace):
    prefix, files, small = "MusubiTuner_Heron", MODELS, SMALL


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> HeronPlace:
    return HeronPlace(tmp_path)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_the_script_accepts_what_the_node_sends(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", [node for node in NODES if hasattr(node, "script")], ids=lambda node: node.id)
def test_each_option_has_one_owner(node: Any) -> None:
    assert not set_twice(node)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)


def test_pictures_become_a_lora_and_a_video(place: HeronPlace) -> None:
    trained = place.train()
    assert Path(trained.lora.path).is_file() and trained.lora.format == "musubi"
    made = place.generate(lora=trained.lora)
    assert Path(made.video.path).is_file()


def test_another_models_file_is_refused(place: HeronPlace) -> None:
    with fails("model-other-kind", "a HunyuanVideo T2V DiT", "a Heron DiT"):
        place.models(dit="miniature/hunyuan_video_t2v.safetensors")


def test_a_length_that_would_be_rounded_is_refused(place: HeronPlace) -> None:
    with fails("frames-not-allowed", "video_length 6"):
        place.generate(video_length=6)


def test_an_error_of_the_scripts_is_explained() -> None:
    lines = ["RuntimeError: size mismatch for patch_embedding.weight: [5120, 16]"]
    found = musubi_explain_error(Failure("wan_train_network.py", "heron", 1, lines))
    assert found and found.code == "model-other-task"
