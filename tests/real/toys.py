"""Toy models and short trainings: the same on the real scripts and on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from musubi_nodes.hosts.terminal.demo_dataset import make_dataset
from musubi_nodes.testing.workplace import Workplace

ENCODERS = {"vae": "hv_vae.safetensors", "text_encoder1": "hv_llm.safetensors", "text_encoder2": "hv_clip.safetensors"}
MODELS: dict[str, dict[str, str]] = {
    "Wan": {"dit": "wan21_dit.safetensors", "vae": "wan_vae.safetensors", "t5": "t5.safetensors"},
    "HunyuanVideo": {"dit": "hv_dit.safetensors", **ENCODERS},
    "FramePack": {"dit": "fp_dit.safetensors", "image_encoder": "fp_siglip.safetensors", **ENCODERS},
    "Flux2": {
        "dit": "klein_dit.safetensors",
        "vae": "flux2_vae.safetensors",
        "text_encoder": "qwen3.safetensors",
    },
    "FluxKontext": {
        "dit": "kontext_dit.safetensors",
        "vae": "kontext_vae.safetensors",
        "text_encoder1": "t5xxl.safetensors",
        "text_encoder2": "clip_l.safetensors",
    },
    "HunyuanVideo15": {
        "dit": "hv15_t2v_dit.safetensors",
        "vae": "hv15_vae.safetensors",
        "text_encoder": "qwen25vl.safetensors",
        "byt5": "byt5.safetensors",
    },
    "Krea2": {
        "dit": "krea2_raw_dit.safetensors",
        "vae": "qwen_image_vae.safetensors",
        "text_encoder": "qwen3vl.safetensors",
    },
    "QwenImage": {
        "dit": "qwen_image_dit.safetensors",
        "vae": "qwen_image_vae.safetensors",
        "text_encoder": "qwen25vl.safetensors",
    },
    "ZImage": {
        "dit": "zimage_dit.safetensors",
        "vae": "zimage_vae.safetensors",
        "text_encoder": "qwen3.safetensors",
    },
}
"""Widgets of the models nodes for the toy weights of tests/tiny_musubi."""


def videos(folder: Path) -> Path:
    """The TOML of four videos of one FramePack section of eight frames."""
    return make_dataset(folder, 9, {"target_frames": [9], "fp_latent_window_size": 2}, size=(96, 64))


def trained(place: Workplace, family: str, models: Any, toml: Path, **values: Any) -> Any:
    """The outputs of the family's trainer after two epochs on a dataset."""
    dataset = place.load(toml)
    settings = place.run("TrainingConfig", max_train_epochs=2, learning_rate=0.001).training
    return place.run(
        f"{family}LoRATrainer",
        models=models,
        latent_cache=place.run(f"{family}LatentCache", dataset=dataset, models=models).latent_cache,
        text_cache=place.run(f"{family}TextEncoderCache", dataset=dataset, models=models).text_cache,
        training=settings,
        **values,
    )
