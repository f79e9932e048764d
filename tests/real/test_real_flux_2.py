"""FLUX.2 klein on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from typing import Any

import pytest
from tests.real.pictures import CONTROLS, SMALL, controls, pixels, sampled, samples, shown, sizes
from tests.real.toys import MODELS, trained

from musubi_nodes.testing.workplace import TOML, Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

LORA = "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"


def models_of(place: Workplace, version: str) -> Any:
    return place.run("Flux2Models", **MODELS["Flux2"], model_version=version).models


def test_a_lora_of_the_base_from_texts_has_samples_and_changes_pictures_of_the_fast_one(place: Workplace) -> None:
    models = models_of(place, "klein-base-4b")
    given = {"prompt": "a ball", "cfg_scale": 2.0, "negative_prompt": "red", "width": 96, "height": 64, "steps": 2}
    prompts = place.run("Prompt", **given).prompts
    sampling = place.run("SamplingConfig", sample_every_n_epochs=1, prompts=prompts).sampling
    made = trained(place, "Flux2", models, place.dataset(count=2), sampling=sampling)
    header = read_header(made.lora.path)
    assert LORA in header.tensors and header.metadata["ss_base_model_version"] == "flux_2_klein_4b"
    assert len(sampled(made)) == 2
    assert "guidance scale: 2.0" in (made.run.folder / "log.txt").read_text("utf-8")
    values = {**SMALL, "models": models_of(place, "klein-4b")}
    both = place.run("Flux2Generator", lora=made.lora, output_type="latent_images", **values)
    assert sizes(both.images) == [(64, 96, 3)]
    assert pixels(place.run("Flux2Generator", **values).images) != pixels(both.images)
    again = place.run("Flux2Generator", models=values["models"], latent=both.latent)
    assert pixels(again.images) == pixels(both.images)


@pytest.mark.parametrize("version", ["klein-base-4b", "klein-base-9b"])
def test_pictures_with_control_pictures_become_a_lora_that_edits(place: Workplace, version: str) -> None:
    models = models_of(place, version)
    toml = place.dataset(count=2, toml=TOML + CONTROLS)
    controls(place, 2, 2)
    first, second = (place.folder / "pictures" / f"p{number}.png" for number in range(2))
    given = shown(first, second)
    made = trained(place, "Flux2", models, toml, sampling=samples(place), sample_control_image=given)
    assert LORA in read_header(made.lora.path).tensors and len(sampled(made)) == 2
    cached = next((place.host.output_folder / "musubi" / "cache").rglob("p0_*_f2k?b.safetensors"))
    assert {name.split("_")[2] for name in read_header(cached).tensors if "control" in name} == {"0", "1"}
    values = {**SMALL, "models": models, "guidance_scale": 1.0}
    edited = place.run("Flux2Generator", lora=made.lora, control_image=given, **values)
    assert sizes(edited.images) == [(64, 96, 3)]
    other = place.run("Flux2Generator", lora=made.lora, control_image=shown(second), **values)
    assert pixels(other.images) != pixels(edited.images)


def test_prompts_of_one_start_are_those_of_single_starts(place: Workplace) -> None:
    models = models_of(place, "klein-base-4b")
    place.dataset()
    first, second = (shown(place.folder / "pictures" / f"p{number}.png") for number in range(2))
    both = shown(*first.paths, *second.paths)
    prompts = None
    for seed, control, negative in ((7, both, "red"), (7, second, "red"), (8, both, "blue")):
        given = {"prompt": "a ball", "seed": seed, "control_image": control, "negative_prompt": negative}
        prompts = place.run("Prompt", previous=prompts, **given).prompts
    made = place.run("Flux2Generator", models=models, prompts=prompts, **SMALL)
    assert len([run for run in place.started() if "Flux2Generator" in run.name]) == 1
    assert [sizes(images) for images in made.images] == [[(64, 96, 3)]] * 3
    place.forget_generated()
    values = {**SMALL, "prompt": "a ball", "seed": 7, "negative_prompt": "red"}
    alone = place.run("Flux2Generator", models=models, control_image=second, **values)
    assert pixels(alone.images) == pixels(made.images[1]) != pixels(made.images[0])
