"""Qwen-Image, Edit and Layered on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.real.pictures import CONTROLS, controls, pixels, sampled, samples, shown, sizes
from tests.real.toys import MODELS, trained

from musubi_nodes.families import read_array, write_tensors
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML, Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

SMALL = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}
LAYERED = {
    "model_version": "layered",
    "dit": "qwen_image_layered_dit.safetensors",
    "vae": "qwen_image_layered_vae.safetensors",
}
LORA = "lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight"


def models_of(place: Workplace, **values: str) -> Any:
    return place.run("QwenImageModels", **{**MODELS["QwenImage"], **values}).models


@pytest.mark.parametrize("dit", ["qwen_image_dit.safetensors", "qwen_image_wrapped_dit.safetensors"])
def test_a_lora_from_texts_has_samples_and_changes_the_picture(place: Workplace, dit: str) -> None:
    models = models_of(place, dit=dit)
    made = trained(place, "QwenImage", models, place.dataset(), sampling=samples(place))
    assert LORA in read_header(made.lora.path).tensors and len(sampled(made)) == 2
    plain_models = models_of(place)
    both = place.run("QwenImageGenerator", models=plain_models, lora=made.lora, output_type="latent_images", **SMALL)
    assert sizes(both.images) == [(64, 96, 3)]
    assert pixels(place.run("QwenImageGenerator", models=plain_models, **SMALL).images) != pixels(both.images)
    again = place.run("QwenImageGenerator", models=plain_models, latent=both.latent)
    assert pixels(again.images) == pixels(both.images)
    with fails("model-other-kind", "qwen_image"):
        place.run("WanModels", **{**MODELS["Wan"], "dit": dit})


@pytest.mark.parametrize(("version", "each"), [("edit", 1), ("edit-2509", 2), ("edit-2511", 2)])
def test_an_edit_model_is_trained_with_its_control_pictures(place: Workplace, version: str, each: int) -> None:
    models = models_of(place, model_version=version)
    toml = place.dataset(count=2, toml=TOML + CONTROLS)
    controls(place, 2, each)
    first, second = (place.folder / "pictures" / f"p{number}.png" for number in range(2))
    given = shown(*(first, second)[:each])
    made = trained(
        place, "QwenImage", models, toml, sampling=samples(place), sample_control_image=given, output_name="edit"
    )
    assert LORA in read_header(made.lora.path).tensors and len(sampled(made)) == 2
    edited = place.run("QwenImageGenerator", models=models, lora=made.lora, control_image=given, **SMALL)
    assert sizes(edited.images) == [(64, 96, 3)]
    other = place.run("QwenImageGenerator", models=models, lora=made.lora, control_image=shown(second), **SMALL)
    assert pixels(other.images) != pixels(edited.images)
    masked = place.run("QwenImageGenerator", models=models, control_image=given, mask=shown(first), **SMALL)
    assert pixels(masked.images) != pixels(other.images)
    assert "Using inpainting mask" in (masked.run.folder / "log.txt").read_text("utf-8")


def test_a_changed_control_picture_makes_exactly_its_text_stale(place: Workplace) -> None:
    models = models_of(place, model_version="edit")
    controls(place, 2)
    toml = place.dataset(count=2, toml=TOML + CONTROLS)

    def stamps() -> dict[str, int]:
        place.run("QwenImageTextEncoderCache", dataset=place.load(toml), models=models)
        found = (place.host.output_folder / "musubi" / "cache").rglob("*_qie_te.safetensors")
        return {path.name: path.stat().st_mtime_ns for path in found}

    before = stamps()
    Image.new("RGB", (96, 64), (1, 2, 3)).save(place.folder / "controls" / "p0.png")
    after = stamps()
    assert [name for name in sorted(before) if after[name] != before[name]] == ["p0_qie_te.safetensors"]
    assert len(before) == len(after) == 2


def test_prompts_of_one_start_have_all_their_control_pictures(place: Workplace) -> None:
    models = models_of(place, model_version="edit-2509")
    place.dataset()
    first, second, third = (shown(place.folder / "pictures" / f"p{number}.png") for number in range(3))
    both = shown(*first.paths, *second.paths)
    prompts = None
    for seed, control in ((7, both), (7, third), (8, both)):
        given = {"prompt": "a ball", "seed": seed, "control_image": control}
        prompts = place.run("Prompt", previous=prompts, **given).prompts
    made = place.run("QwenImageGenerator", models=models, prompts=prompts, **SMALL)
    assert len([run for run in place.started() if "QwenImageGenerator" in run.name]) == 1
    assert [sizes(images) for images in made.images] == [[(64, 96, 3)]] * 3
    place.forget_generated()
    values = {**SMALL, "prompt": "a ball", "seed": 7}
    for control, together in zip((both, third), made.images, strict=False):
        alone = place.run("QwenImageGenerator", models=models, control_image=control, **values)
        assert pixels(alone.images) == pixels(together)
    assert pixels(made.images[0]) != pixels(made.images[1])


def test_layered_trains_on_layers_and_takes_a_picture_apart(place: Workplace) -> None:
    models = models_of(place, **LAYERED)
    toml = place.dataset(count=2, toml=TOML + "multiple_target = true\n")
    pictures = place.folder / "pictures"
    for number in range(2):
        for layer in (1, 2):
            Image.new("RGBA", (96, 64), (80 * layer, 40 * number, 9, 128)).save(pictures / f"p{number}_{layer}.png")
    given = shown(pictures / "p0.png")
    dataset = {"sampling": samples(place, sample_frames=2), "sample_control_image": given}
    made = trained(place, "QwenImage", models, toml, **dataset)
    assert LORA in read_header(made.lora.path).tensors and sampled(made)
    apart = place.run(
        "QwenImageGenerator", models=models, lora=made.lora, control_image=given, output_layers=2, **SMALL
    )
    assert sizes(apart.images) == [(64, 96, 3)] * 3


@pytest.mark.parametrize(
    ("version", "given", "code"),
    [
        ({"model_version": "edit"}, 0, "control-image-missing"),
        ({"model_version": "edit"}, 2, "control-image-unexpected"),
        ({}, 1, "control-image-unexpected"),
        (LAYERED, 0, "control-image-missing"),
    ],
)
def test_another_number_of_control_pictures_is_refused(
    place: Workplace, version: dict[str, str], given: int, code: str
) -> None:
    place.dataset()
    pictures = [place.folder / "pictures" / f"p{number}.png" for number in range(given)]
    control = shown(*pictures) if given else None
    with fails(code):
        place.run("QwenImageGenerator", models=models_of(place, **version), control_image=control, **SMALL)


def test_files_of_another_version_are_refused(place: Workplace) -> None:
    with fails("model-other-task", "layered"):
        models_of(place, dit=LAYERED["dit"])
    with fails("model-other-task", "qwen_image_vae"):
        models_of(place, **{**LAYERED, "vae": MODELS["QwenImage"]["vae"]})


def tuned(before: Path, name: str, update: Any) -> str:
    """A copy of a DiT with one weight changed."""
    tensors = {key: read_array(before, tensor) for key, tensor in read_header(before).tensors.items()}
    tensors[name] = tensors[name] + update
    path = before.with_name("tuned.safetensors")
    write_tensors(path, {key: each.shape for key, each in tensors.items()}, tensors.items(), "F32", {})
    return path.name


def test_the_difference_of_two_dits_becomes_a_lora(place: Workplace) -> None:
    models, changed = models_of(place), "transformer_blocks.0.attn.to_q.weight"
    before = Path(models.dit)
    rows, columns = read_header(before).tensors[changed].shape
    update = np.outer(np.arange(rows) - 3.0, np.ones(columns)).astype(np.float32) / 64
    files = {"model_org": before.name, "model_tuned": tuned(before, changed, update)}
    made = place.run("QwenImageLoRAExtractor", **files, dim=1, clamp_quantile=1.0, save_precision="float").lora
    tensors = read_header(made.path).tensors
    names = [f"lora_unet_transformer_blocks_0_attn_to_q.lora_{side}.weight" for side in ("up", "down")]
    up, down = (read_array(made.path, tensors[name]) for name in names)
    np.testing.assert_allclose(up @ down, update, atol=1e-3)
    assert sizes(place.run("QwenImageGenerator", models=models, lora=made, **SMALL).images) == [(64, 96, 3)]
    with fails("models-same", before.name):
        place.run("QwenImageLoRAExtractor", **files | {"model_tuned": before.name})
    with fails("model-other-kind", "Wan"):
        place.run("QwenImageLoRAExtractor", **files | {"model_tuned": MODELS["Wan"]["dit"]})
