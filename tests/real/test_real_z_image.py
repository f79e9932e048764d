"""Z-Image on the real scripts, from pictures to a LoRA and a picture: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.real.toys import MODELS, trained

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

SMALL = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}


def models_of(place: Workplace, **files: str) -> Any:
    return place.run("ZImageModels", **{**MODELS["ZImage"], **files}).models


def sizes(images: ImageFiles) -> list[tuple[int, ...]]:
    return [frame.shape for frame in images.frames()]


def test_pictures_become_a_lora_with_samples_and_the_lora_a_picture(place: Workplace) -> None:
    models = models_of(place)
    sampling = place.run(
        "SamplingConfig", sample_every_n_epochs=1, sample_prompts="I see it", sample_width=96, sample_height=64,
        sample_steps=2,
    ).sampling  # fmt: skip
    made = trained(place, "ZImage", models, place.dataset(), sampling=sampling)
    assert "lora_unet_layers_0_attention_to_q.lora_down.weight" in read_header(made.lora.path).tensors
    assert len(list((made.run.folder / "out" / "sample").iterdir())) == 2
    both = place.run("ZImageGenerator", models=models, lora=made.lora, output_type="latent_images", **SMALL)
    assert sizes(both.images) == [(64, 96, 3)]
    plain = place.run("ZImageGenerator", models=models, **SMALL)
    assert pixels(plain) != pixels(both)
    again = place.run("ZImageGenerator", models=models, latent=both.latent)
    assert pixels(again) == pixels(both)
    trained_on = trained(place, "ZImage", models, place.dataset(), base_weights=made.lora, output_name="on_it")
    assert Path(trained_on.lora.path).is_file()


def pixels(made: Any) -> list[bytes]:
    return [frame.tobytes() for frame in made.images.frames()]


def test_parts_of_a_dit_are_the_whole_dit(place: Workplace) -> None:
    whole = place.run("ZImageGenerator", models=models_of(place), **SMALL)
    parts = models_of(place, dit="zimage_dit-00001-of-00002.safetensors")
    assert pixels(place.run("ZImageGenerator", models=parts, **SMALL)) == pixels(whole)


@pytest.mark.parametrize("negative", ["", "blue"])
def test_guidance_takes_any_negative_prompt(place: Workplace, negative: str) -> None:
    made = place.run("ZImageGenerator", models=models_of(place), negative_prompt=negative, guidance_scale=4.0, **SMALL)
    assert sizes(made.images) == [(64, 96, 3)]


def test_prompts_of_one_start_are_those_of_single_starts(place: Workplace) -> None:
    models = models_of(place)
    lines = "a ball --d 7 --n red\na cube --d 7 --n blue\na ball --d 8 --w 64 --n blue"
    made = place.run("ZImageGenerator", models=models, prompts=place.run("BatchProcessor", text=lines).prompts, **SMALL)
    assert len([run for run in place.started() if "ZImageGenerator" in run.name]) == 1
    assert [sizes(images) for images in made.images] == [[(64, 96, 3)], [(64, 96, 3)], [(64, 64, 3)]]
    place.forget_generated()
    values = {**SMALL, "prompt": "a cube", "seed": 7, "negative_prompt": "blue"}
    alone = place.run("ZImageGenerator", models=models, **values)
    assert [frame.tobytes() for frame in made.images[1].frames()] == pixels(alone)


def test_what_another_model_is_for_is_refused(place: Workplace) -> None:
    with fails("model-other-kind", "zimage_dit"):
        place.run("WanModels", **{**MODELS["Wan"], "dit": "zimage_dit.safetensors"})
