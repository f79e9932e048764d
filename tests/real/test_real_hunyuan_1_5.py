"""HunyuanVideo 1.5 on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.real.pictures import pixels, shown
from tests.real.toys import MODELS, trained

from musubi_nodes.hosts.terminal.demo_dataset import first_frame, make_dataset
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

SMALL = {"width": 96, "height": 64, "infer_steps": 2, "video_length": 5, "prompt": "a square"}
I2V = {"task": "i2v", "dit": "hv15_i2v_dit.safetensors", "image_encoder": "fp_siglip.safetensors"}


def models_of(place: Workplace, **values: str) -> Any:
    return place.run("HunyuanVideo15Models", **{**MODELS["HunyuanVideo15"], **values}).models


@pytest.mark.parametrize("task", ["t2v", "i2v"])
def test_a_lora_with_samples_changes_a_video(place: Workplace, task: str) -> None:
    models = models_of(place, **(I2V if task == "i2v" else {}))
    toml = make_dataset(place.folder / "videos", 5, {"target_frames": [5]}, size=(96, 64))
    first = shown(first_frame(place.folder / "videos"))
    image = {"image": first} if task == "i2v" else {}
    given = {"prompt": "a ball", "cfg_scale": 2.0, "negative_prompt": "red", "width": 96, "height": 64, "steps": 2}
    prompts = place.run("Prompt", **given, frames=5, **image).prompts
    sampling = place.run("SamplingConfig", sample_every_n_epochs=2, prompts=prompts).sampling
    made = trained(place, "HunyuanVideo15", models, toml, sampling=sampling)
    header = read_header(made.lora.path)
    assert "lora_unet_double_blocks_0_img_attn_q.lora_down.weight" in header.tensors
    assert header.metadata["ss_base_model_version"] == "hunyuan_video_1_5"
    (sample,) = (made.run.folder / "out" / "sample").iterdir()
    assert probe(sample).frames == 5
    assert "discrete flow shift: 7.0" in (made.run.folder / "log.txt").read_text("utf-8")
    values = {**SMALL, "models": models, **image}
    both = place.run("HunyuanVideo15Generator", lora=made.lora, output_type="both", **values)
    assert np.asarray(both.video.frames()).shape == (5, 64, 96, 3)
    plain = place.run("HunyuanVideo15Generator", output_type="images", **values)
    again = place.run("HunyuanVideo15Generator", models=models, latent=both.latent, output_type="images")
    assert len(pixels(again.images)) == 5 and pixels(again.images) != pixels(plain.images)


def test_prompts_of_one_start_are_those_of_single_starts(place: Workplace) -> None:
    models, lines = models_of(place), "a ball --d 7 --n red\na cube --d 7 --n red\na ball --d 8 --n blue"
    values = {**SMALL, "models": models, "output_type": "images"}
    made = place.run("HunyuanVideo15Generator", prompts=place.run("BatchProcessor", text=lines).prompts, **values)
    assert len([run for run in place.started() if "HunyuanVideo15Generator" in run.name]) == 2
    place.forget_generated()
    alone = {**values, "prompt": "a cube", "seed": 7, "negative_prompt": "red"}
    assert pixels(place.run("HunyuanVideo15Generator", **alone).images) == pixels(made.images[1])
