"""Many prompts in one start of the real scripts: none is taken for another, and Wan's are those of single starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.real.toys import MODELS

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

SMALL = {"width": 96, "height": 64, "infer_steps": 2, "output_type": "both"}
OF_FAMILY: dict[str, dict[str, Any]] = {
    "Wan": {"video_length": 5, "vae_dtype": "float32"},
    "FramePack": {"latent_window_size": 2, "video_seconds": 0.27},
}
PROMPTS = "a ball --d 7\na cube --d 7\na ball --d 8\na cone --d 7 --w 64"
ALONE = (("a ball", 7, 96), ("a cube", 7, 96), ("a ball", 8, 96), ("a cone", 7, 64))


@pytest.mark.parametrize("family", OF_FAMILY)
def test_the_same_seeds_and_texts_in_one_start_are_told_apart(place: Workplace, family: str) -> None:
    values = {**SMALL, **OF_FAMILY[family], "models": place.run(f"{family}Models", **MODELS[family]).models}
    if family == "FramePack":
        values["image"] = ImageFiles((place.dataset().with_suffix("") / "p0.png",))
    made = place.run(f"{family}Generator", prompts=place.run("BatchProcessor", text=PROMPTS).prompts, **values)
    assert len([run for run in place.started() if f"{family}Generator" in run.name]) == 1
    assert [probe(video.path).width for video in made.video] == [96, 96, 96, 64]
    known = [read_header(latent.path).metadata for latent in made.latent]
    assert [(each["prompt"], each["seeds"]) for each in known] == [(text, str(seed)) for text, seed, _ in ALONE]
    if family == "FramePack":
        return  # its VAE draws a picture's latent from the process's random numbers: the second prompt has others
    place.forget_generated()
    for number, (text, seed, width) in enumerate(ALONE):
        alone = place.run(f"{family}Generator", **{**values, "prompt": text, "seed": seed, "width": width})
        assert tensors(made.latent[number].path) == tensors(alone.latent.path)
        assert made.video[number].path.read_bytes() == alone.video.path.read_bytes()


def tensors(path: Path) -> list[tuple[str, bytes]]:
    from safetensors import deserialize

    return [(name, bytes(tensor["data"])) for name, tensor in deserialize(path.read_bytes())]
