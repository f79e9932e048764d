"""What musubi-tuner made is looked at before it is handed on or remembered: numbers, frames, size, light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

CHANGED = """
sys.path.insert(0, {source!r})
import numpy as np
from musubi_tuner.miniature import outputs, tensors
real_video, real_image, real_save = outputs.write_video, outputs.write_image, tensors.save
def each(found, change):
    return {{name: tensors.Tensor(change(part.values), part.dtype) for name, part in found.items()}}
{change}
"""
OF_VIDEOS = "outputs.write_video = lambda path, frames, *rest: real_video(path, {frames}, *rest)"
OF_IMAGES = "outputs.write_image = lambda path, frame: real_image(path, {frame})"
OF_NUMBERS = """
def save(path, found, *rest):
    real_save(path, each(found, lambda values: {values}), *rest)
tensors.save = save
for module in [each for name, each in list(sys.modules.items()) if name.startswith("musubi_tuner.")]:
    if getattr(module, "save", None) is real_save:
        module.save = save
"""
NAN, INFINITE, ZERO = (f"values * 0 + np.{each}" for each in ("nan", "inf", "float32(-0.0)"))


def changed(place: Any, script: str, change: str) -> None:
    source = str(place.services.install("miniature").root / "src")
    place.misbehaving(script, CHANGED.format(source=source, change=change))


WRONG = {
    "one frame": ("video", OF_VIDEOS.format(frames="frames[:1]"), "output-frames-wrong", "1 5"),
    "a frame too many": (
        "video",
        OF_VIDEOS.format(frames="np.concatenate([frames, frames[:1]])"),
        "output-frames-wrong",
        "6 5",
    ),
    "half the size": ("video", OF_VIDEOS.format(frames="frames[:, ::2, ::2]"), "output-size-wrong", "48 32 96 64"),
    "a black video": ("video", OF_VIDEOS.format(frames="frames * 0"), "output-black", ""),
    "black pictures": ("images", OF_IMAGES.format(frame="frame * 0"), "output-black", ""),
    "pictures of half the size": (
        "images",
        OF_IMAGES.format(frame="frame[::2, ::2]"),
        "output-size-wrong",
        "48 32 96 64",
    ),
    "a latent of NaN": ("latent", OF_NUMBERS.format(values=NAN), "latent-not-finite", ""),
    "an infinite latent beside a video": ("both", OF_NUMBERS.format(values=INFINITE), "latent-not-finite", ""),
    "a latent of zeros": ("latent", OF_NUMBERS.format(values=ZERO), "latent-all-zero", ""),
}


@pytest.mark.parametrize("row", WRONG)
def test_a_wrong_generation_is_neither_handed_on_nor_remembered(place: Any, row: str) -> None:
    output_type, change, code, named = WRONG[row]
    changed(place, "wan_generate_video.py", change)
    with fails(code, *named.split()) as caught:
        place.generate(output_type=output_type)
    assert caught.value.log and caught.value.log.is_file() and caught.value.fix
    output = place.host.output_folder / "musubi"
    assert not list(output.glob("generated/*")) and not [path for path in output.iterdir() if path.is_file()]


def test_of_several_prompts_the_wrong_one_is_not_handed_on(place: Any) -> None:
    change = OF_VIDEOS.format(frames="frames[:1] if '_7' in str(path.name) else frames")
    changed(place, "wan_generate_video.py", change)
    prompts = place.run("BatchProcessor", text="a cat --d 6\na dog --d 7").prompts
    made = place.generate(prompts=prompts)
    assert not isinstance(made.video, list) and "1 of 5 frames" in place.texts[0]
    assert len(list(place.folder.glob("output/musubi/generated/*.json"))) == 1


def test_a_video_that_only_begins_black_is_handed_on(place: Any) -> None:
    changed(place, "wan_generate_video.py", OF_VIDEOS.format(frames="np.concatenate([frames[:1] * 0, frames[1:]])"))
    assert place.generate().video


WRONG_CACHES = {
    "latents of NaN": ("wan_cache_latents.py", OF_NUMBERS.format(values=NAN)),
    "latents of zeros": ("wan_cache_latents.py", OF_NUMBERS.format(values=ZERO)),
    "infinite texts": ("wan_cache_text_encoder_outputs.py", OF_NUMBERS.format(values=INFINITE)),
    "NaN that musubi-tuner replaced": (
        "wan_cache_latents.py",
        "print('WARNING:dataset:latents_1x8x12_float32 tensor has NaN: p1.png, replace NaN with 0', file=sys.stderr)",
    ),
}


@pytest.mark.parametrize("row", WRONG_CACHES)
def test_caches_without_usable_numbers_are_blamed_and_reach_no_training(place: Any, row: str) -> None:
    path, good = place.dataset(), place.services.install
    changed(place, *WRONG_CACHES[row])
    with fails("cache-values-invalid") as caught:
        place.caches(path)
    assert "learning_rate" not in str(caught.value) and not list(place.folder.glob("output/musubi/cached/*wan*"))
    place.services.install = good
    assert place.train(place.caches(path)).lora


@pytest.fixture
def poisoned(place: Any) -> Any:
    """A LoRA that fits, with one number in its last tensor that is none."""
    place.lora("blocks_0_self_attn_q", "blocks_1_ffn_0")
    path = next(place.folder.rglob("loras/lora.safetensors"))
    tensors = load_file(path)
    tensors[sorted(tensors)[-1]].flat[-1] = np.nan
    save_file(tensors, path)
    return path


def test_a_lora_of_nan_is_refused_by_the_node_that_chooses_it(place: Any, poisoned: Path) -> None:
    with fails("lora-not-finite", "lora.safetensors") as caught:
        place.run("LoRASelect", lora=poisoned.name)
    assert caught.value.why


def test_a_lora_of_nan_is_refused_when_it_is_queued(
    place: Any, poisoned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "_host", lambda: place.host)
    with fails("lora-not-finite"):
        emit.validate(place.node("LoRASelect"), place.services, {"lora": poisoned.name})


def test_a_lora_that_became_nan_after_it_was_chosen_reaches_no_script(place: Any) -> None:
    lora = place.lora("blocks_0_self_attn_q", width=64)
    tensors = load_file(lora.path)
    save_file({name: values * np.float32(np.nan) for name, values in tensors.items()}, lora.path)
    with fails("lora-not-finite"):
        place.generate(lora=lora)
    assert not place.started()


def test_a_latent_of_nan_is_not_decoded(place: Any) -> None:
    latent = place.generate(output_type="latent").latent
    tensors = load_file(latent.path)
    save_file({name: values * np.float32(np.nan) for name, values in tensors.items()}, latent.path)
    place.forget()
    with fails("latent-not-finite"):
        place.generate(latent=latent, prompt="")
    assert not place.started_since()


def test_a_lora_of_plus_and_minus_zero_was_not_trained(place: Workplace) -> None:
    changed(place, "wan_train_network.py", OF_NUMBERS.format(values=ZERO))
    with fails("lora-all-zero"):
        place.train(place.caches(place.dataset()))  # type: ignore[attr-defined]
    assert place.published() == []


def test_a_look_while_the_workflow_is_queued_is_short(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is counted, not timed."""
    from musubi_nodes.families import numbers_of

    monkeypatch.setattr(emit, "_host", lambda: place.host)
    looks: list[int | None] = []
    look = numbers_of._look
    monkeypatch.setattr(numbers_of, "_look", lambda path, most: (looks.append(most), look(path, most))[1])
    place.weights("loras", "lora.safetensors", **{"lora_unet_blocks_0_self_attn_q.lora_down.weight": (4, 64)})
    emit.validate(place.node("LoRASelect"), place.services, {"lora": "lora.safetensors"})
    assert looks == [numbers_of.GLANCE]
