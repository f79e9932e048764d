"""HunyuanVideo from pictures to a LoRA and a video, and what is refused before it starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.explain import Failure
from musubi_nodes.weights import read_header
from musubi_nodes_hunyuan.explain import explain


def words(place: Any) -> list[str]:
    """The newest command."""
    command = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    return [str(word) for word in command]


def test_pictures_become_a_lora_and_a_video(place: Any) -> None:
    trained = place.train()
    names = read_header(trained.lora.path).tensors
    assert any(name.startswith("lora_unet_double_blocks_0_img_attn_qkv.") for name in names)
    made = place.generate(lora=trained.lora)
    assert probe(made.video.path).frames == 5
    assert words(place)[words(place).index("--lora_multiplier") + 1] == "1.0"


def test_a_latent_is_handed_on_and_decoded(place: Any) -> None:
    latent = place.generate(output_type="latent").latent
    assert probe(place.generate(latent=latent, prompt="").video.path).frames == 5


def test_a_video_is_the_start_of_another(place: Any) -> None:
    first = place.generate()
    place.generate(video=first.video, strength=0.5)
    assert any(word.startswith("--video_path=") for word in words(place))


def test_a_lora_is_merged_into_the_model(place: Any) -> None:
    lora = place.train().lora
    merged = place.run("LoRAMerger", lora=lora, dit="miniature/hunyuan_video_t2v.safetensors")
    assert merged.path.endswith("merged.safetensors")


def train_with_memory(**values: Any) -> Any:
    return lambda p: p.train(memory=p.run("MemoryOptimizer", **values).memory)


def i2v_without_picture(place: Any) -> Any:
    models = place.models().model_copy(update={"task": "i2v"})
    return place.generate(models=models)


REFUSED = {
    "8 task against the DiT": (lambda p: p.models(task="i2v"), "does not fit task"),
    "8 VAE of another model": (lambda p: p.models(vae="miniature/wan_vae.safetensors"), "not HunyuanVideo's VAE"),
    "8 other model as DiT": (lambda p: p.models(dit="miniature/wan_t2v_14b.safetensors"), "no HunyuanVideo DiT"),
    "8 size not divisible by 16": (lambda p: p.generate(width=104), "divisible by 16"),
    "12 fp8_scaled in training": (train_with_memory(fp8="fp8_scaled"), "fp8_scaled"),
    "12 sage in training": (train_with_memory(attention="sage"), "sage"),
    "12 xformers without split_attn": (train_with_memory(attention="xformers"), "split_attn"),
    "12 too many blocks": (train_with_memory(blocks_to_swap=37), "more than this model"),
    "4 video_length is rounded silently": (lambda p: p.generate(video_length=6), r"N\*4\+1"),
    "i2v without picture": (i2v_without_picture, "picture"),
    "picture for t2v": (lambda p: p.generate(image=ImageFiles((p.dataset().with_suffix("") / "p0.png",))), "picture"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_trap_is_refused_before_the_script_starts(place: Any, row: str) -> None:
    provoke, message = REFUSED[row]
    with pytest.raises(MusubiError, match=message):
        provoke(place)
    assert not [folder for folder in place.started() if "Trainer" in folder.name or "Generator" in folder.name]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("KeyError: 'clipL'", "only half"),
        ("AssertionError: Latent size must be divisible by patch size", "divisible by 16"),
        ("AssertionError: VAE path does not exist", "VAE"),
        ("TypeError: object of type 'float' has no len()", "multiplier"),
    ],
)
def test_what_only_shows_afterwards_is_explained(line: str, cause: str) -> None:
    found = explain(Failure("hv_train_network.py", "hunyuan", 1, [line]))
    assert found is not None and cause in found.why and found.fix
