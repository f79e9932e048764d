"""Z-Image from pictures to a LoRA and a picture, on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.frames import save_video
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes.weights import read_header
from musubi_nodes_z_image.nodes import NODES


def pixels(made: Any) -> bytes:
    return bytes(made.images.frames().tobytes())


def test_pictures_become_a_lora_and_a_picture(place: Any) -> None:
    trained = place.train()
    assert "lora_unet_layers_0_attention_to_q.lora_down.weight" in read_header(trained.lora.path).tensors
    assert trained.lora.family == "z_image"
    plain, changed = place.generate(), place.generate(lora=trained.lora)
    assert plain.images.frames().shape == (1, 64, 96, 3) and pixels(plain) != pixels(changed)
    words = place.command()
    assert "--attn_mode=torch" in words and not any("video" in word for word in words[1:])


def test_a_saved_latent_becomes_the_same_picture(place: Any) -> None:
    made = place.generate(output_type="latent_images")
    assert pixels(place.generate(latent=made.latent)) == pixels(made)


def test_what_cannot_be_made_is_told_without_a_word_of_videos(place: Any) -> None:
    latent = place.generate(output_type="latent").latent
    with pytest.raises(MusubiError) as caught:
        place.generate(latent=latent, output_type="latent")
    assert caught.value.code == "output-type-not-possible" and "images" in caught.value.fix
    assert "video" not in str(caught.value)


def test_prompts_of_one_start_are_those_of_single_starts(place: Any) -> None:
    lines = "a ball --d 7\na cube --d 8 --w 64\na ball --d 9"
    made = place.generate(prompts=place.run("BatchProcessor", text=lines).prompts, prompt="")
    assert len([run for run in place.started() if "ZImageGenerator" in run.name]) == 1
    assert [images.frames().shape for images in made.images] == [(1, 64, 96, 3), (1, 64, 64, 3), (1, 64, 96, 3)]
    place.forget_generated()
    alone = place.generate(prompt="a cube", seed=8, width=64)
    assert made.images[1].frames().tobytes() == pixels(alone)


SILENT = """
import logging
kept = logging.Logger.info
logging.Logger.info = lambda self, text, *more: None if "saved to" in str(text) else kept(self, text, *more)
"""


def test_a_script_that_does_not_name_its_files_is_told(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    place.misbehaving("zimage_generate_image.py", SILENT)
    made = place.generate(prompts=place.run("BatchProcessor", text="a ball\na cube").prompts, prompt="")
    assert len(made.images) == 2 and len(place.started()) == 3
    assert [record.levelname for record in caplog.records if "zimage_generate_image.py" in record.message] == [
        "WARNING"
    ]


def test_samples_are_pictures_of_their_size(place: Any) -> None:
    from PIL import Image

    prompts = place.run("Prompt", prompt="a ball", width=96, height=64, steps=2).prompts
    sampling = place.run("SamplingConfig", sample_every_n_epochs=1, prompts=prompts).sampling
    made = place.train(sampling=sampling)
    samples = sorted((made.run.folder / "out" / "sample").iterdir())
    assert [Image.open(path).size for path in samples] == [(96, 64)] * 2


def test_a_lora_becomes_comfyuis_and_back(place: Any) -> None:
    trained = place.train()
    other = place.run("LoRAFormatConverter", lora=trained.lora).lora
    assert "diffusion_model.layers.0.attention.to_q.lora_A.weight" in read_header(other.path).tensors
    back = place.run("LoRAFormatConverter", lora=other).lora
    assert read_header(back.path).tensors.keys() == read_header(trained.lora.path).tensors.keys()


def test_a_training_goes_on_from_another_lora(place: Any) -> None:
    first = place.train().lora
    assert Path(place.train(base_weights=first, output_name="second").lora.path).is_file()
    assert any(str(first.path) in word for word in place.command())


def test_a_lora_of_another_family_is_refused(place: Any) -> None:
    trained = place.train()
    wan = {"dit": "miniature/wan_t2v_14b.safetensors", "vae": "miniature/wan_vae.safetensors"}
    models = place.run("WanModels", t5="miniature/umt5_xxl.safetensors", **wan).models
    with fails("lora-other-model", "Z-Image"):
        place.run("WanGenerator", models=models, lora=trained.lora, prompt="a ball", width=96, height=64)


@pytest.mark.parametrize("cache", ["LatentCache", "TextEncoderCache"])
def test_videos_are_one_error_before_anything_starts(place: Any, cache: str) -> None:
    folder = place.folder / "videos"
    folder.mkdir()
    save_video(np.zeros((3, 64, 96, 3), np.float32), folder / "v.mp4", 16)
    (folder / "v.txt").write_text("a square", "utf-8")
    text = f"[general]\ncaption_extension = '.txt'\n[[datasets]]\nvideo_directory = '{folder.as_posix()}'\n"
    path = place.folder / "videos.toml"
    path.write_text(text, "utf-8")
    with fails("videos-not-allowed", "Z-Image", "datasets[0]"):
        place.run(f"ZImage{cache}", dataset=place.load(path), models=place.models())
    assert not place.started()
    edited = {"kind": "video", "source": str(folder), "family": "z_image", "on_errors": "show"}
    summary = place.run("DatasetConfigEditor", **edited).summary
    assert "pictures" in summary and "frames a second" not in summary


def test_samples_of_several_frames_are_refused(place: Any) -> None:
    prompts = place.run("Prompt", prompt="a ball", frames=5).prompts
    sampling = place.run("SamplingConfig", sample_every_n_epochs=1, prompts=prompts).sampling
    with fails("frames-not-allowed", "Z-Image"):
        place.train(sampling=sampling)


def test_another_models_file_is_refused(place: Any) -> None:
    with fails("model-other-kind", "a Wan", "a Z-Image DiT"):
        place.models(dit="miniature/wan_t2v_14b.safetensors")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)
