"""Magpie from pictures with control pictures to a LoRA and a changed picture, on the miniature."""

from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.family_place import FamilyPlace


class MagpiePlace(FamilyPlace):
    prefix = "MusubiTuner_Magpie"
    files = {
        "dit": "miniature/framepack_i2v.safetensors",
        "vae": "miniature/hunyuan_video_vae.safetensors",
        "text_encoder1": "miniature/llava_llama3.safetensors",
        "text_encoder2": "miniature/clip_l.safetensors",
        "image_encoder": "miniature/siglip.safetensors",
    }
    small = {"width": 96, "height": 64, "infer_steps": 2}


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> MagpiePlace:
    return MagpiePlace(tmp_path)


def test_pictures_become_a_lora_and_a_picture(place: MagpiePlace) -> None:
    trained = place.train(place.caches(place.controlled()))
    plain, changed = (place.generate(control_image=place.picture(), lora=lora) for lora in (None, trained.lora))
    assert plain.images.frames().shape == (1, 64, 96, 3)
    assert plain.images.frames().tobytes() != changed.images.frames().tobytes()


def test_a_dataset_without_control_pictures_is_refused(place: MagpiePlace) -> None:
    with fails("control-count-wrong", "p0.png"):
        place.caches()


@pytest.mark.parametrize(("count", "code"), [(0, "control-image-missing"), (2, "control-image-unexpected")])
def test_there_is_one_control_picture(place: MagpiePlace, count: int, code: str) -> None:
    with fails(code, "Magpie"):
        place.generate(control_image=place.picture(count) if count else None)


def test_prompts_of_a_batch_bring_their_own_control_pictures(place: MagpiePlace) -> None:
    prompts = None
    for text in ("red", "blue"):
        prompts = place.run("Prompt", prompt=text, control_image=place.picture(), previous=prompts).prompts
    made = place.generate(prompt="", prompts=prompts)
    assert [images.frames().shape for images in made.images] == [(1, 64, 96, 3)] * 2
    assert any(word.startswith("--image_path=") for word in place.command())


def test_samples_are_refused(place: MagpiePlace) -> None:
    sampling = place.run("SamplingConfig", sample_prompts="a ball", sample_every_n_epochs=1).sampling
    with fails("magpie-samples-not-possible"):
        place.train(place.caches(place.controlled()), sampling=sampling)
