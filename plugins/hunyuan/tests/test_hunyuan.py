"""HunyuanVideo from pictures to a LoRA and a video."""

from __future__ import annotations

from typing import Any

from musubi_nodes.media.probe import probe
from musubi_nodes.weights import read_header


def test_pictures_become_a_lora_and_a_video(place: Any) -> None:
    trained = place.train()
    names = read_header(trained.lora.path).tensors
    assert any(name.startswith("lora_unet_double_blocks_0_img_attn_qkv.") for name in names)
    made = place.generate(lora=trained.lora)
    assert probe(made.video.path).frames == 5
    assert place.command()[place.command().index("--lora_multiplier") + 1] == "1.0"


def test_a_latent_is_handed_on_and_decoded(place: Any) -> None:
    latent = place.generate(output_type="latent").latent
    assert probe(place.generate(latent=latent, prompt="").video.path).frames == 5


def test_a_video_is_the_start_of_another(place: Any) -> None:
    first = place.generate()
    place.generate(video=first.video, strength=0.5)
    assert any(word.startswith("--video_path=") for word in place.command())


def test_a_lora_is_merged_into_the_model(place: Any) -> None:
    lora = place.train().lora
    merged = place.run("LoRAMerger", lora=lora, dit="miniature/hunyuan_video_t2v.safetensors")
    assert merged.path.endswith("merged.safetensors")
