"""Krea 2 on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from typing import Any

import pytest
from tests.real.pictures import SMALL, pixels, sampled, sizes
from tests.real.toys import MODELS, trained

from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

TURBO = "krea2_turbo_dit.safetensors"


def models_of(place: Workplace, **files: str) -> Any:
    return place.run("Krea2Models", **{**MODELS["Krea2"], **files}).models


def test_a_lora_of_raw_has_samples_of_turbo_and_changes_turbos_pictures(place: Workplace) -> None:
    given = {"prompt": "a ball", "cfg_scale": 2.0, "negative_prompt": "red", "width": 96, "height": 64, "steps": 2}
    prompts = place.run("Prompt", **given).prompts
    sampling = place.run("SamplingConfig", sample_every_n_epochs=1, prompts=prompts).sampling
    models = models_of(place, turbo_dit=TURBO)
    made = trained(place, "Krea2", models, place.dataset(count=2), sampling=sampling)
    header = read_header(made.lora.path)
    assert "lora_unet_blocks_0_attn_wq.lora_down.weight" in header.tensors and len(sampled(made)) == 2
    assert header.metadata["ss_base_model_version"] == "krea2"
    assert "loading Turbo weights for sampling" in (made.run.folder / "log.txt").read_text("utf-8")
    values = {**SMALL, "models": models_of(place, dit=TURBO), "guidance_scale": 1.0, "mu": 1.15}
    changed = place.run("Krea2Generator", lora=made.lora, **values)
    assert sizes(changed.images) == [(64, 96, 3)]
    assert pixels(place.run("Krea2Generator", **values).images) != pixels(changed.images)


def test_prompts_of_one_start_are_those_of_single_starts(place: Workplace) -> None:
    lines = "a ball --d 7 --n red\na cube --d 7 --n blue --g 1\na ball --d 8 --w 64 --n blue"
    prompts = place.run("BatchProcessor", text=lines).prompts
    made = place.run("Krea2Generator", models=models_of(place), prompts=prompts, **SMALL)
    assert len([run for run in place.started() if "Krea2Generator" in run.name]) == 1
    assert [sizes(images) for images in made.images] == [[(64, 96, 3)], [(64, 96, 3)], [(64, 64, 3)]]
    place.forget_generated()
    values = {**SMALL, "prompt": "a cube", "seed": 7, "negative_prompt": "blue", "guidance_scale": 1.0}
    alone = place.run("Krea2Generator", models=models_of(place), **values)
    assert pixels(alone.images) == pixels(made.images[1])
