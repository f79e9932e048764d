"""FramePack as shared nodes see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from musubi_nodes.families import (
    GENERATOR_OPTIONS,
    LLAMA_CLIP_DIT,
    TILED_VAE,
    Family,
    FrameRule,
    ImageDataset,
    Problem,
    VideoDataset,
    with_choice,
)

WINDOW = 9
"""latent_window_size: a section has four times as many frames (fpack_train_network.py, v0.3.4)."""

DIT = replace(LLAMA_CLIP_DIT, window=WINDOW, context=2.5)
"""Of what was made before it sees two latent frames whole, two at an eighth and 16 at a 64th of their tokens
(fpack_cache_latents.py, frame_pack/hunyuan_video_packed.py, v0.3.4)."""


def check_dataset(datasets: Sequence[ImageDataset | VideoDataset]) -> Iterator[Problem]:
    """Pictures are for one-frame training, whose start picture is the first control picture (fpack_cache_latents.py,
    v0.3.4). A JSONL file names them line by line."""
    for number, one in enumerate(datasets):
        if isinstance(one, ImageDataset) and one.directory and not one.control_directory:
            text = f"datasets[{number}]: pictures need control pictures, and {one.directory} has no control_directory"
            yield Problem("framepack-control-directory-missing", text)


FRAMEPACK = Family(
    key="framepack",
    title="FramePack",
    architecture="fp",
    network_module="networks.lora_framepack",
    frame_rule=FrameRule(window=WINDOW),
    fps=30,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 3.0},
    fp8_text_encoder="fp8_llm",
    check_dataset=check_dataset,
    sizes=(DIT,),
    vae_saving=TILED_VAE,
    trainer_split_attn=dict.fromkeys(
        ("sdpa", "flash", "xformers"), "FramePack trains batches of more than one item only so"
    ),
    lora_modules=(
        r"transformer_blocks\.\d+\.(attn\.\w+(\.0)?|ff(_context)?\.net\.\d(\.proj)?)"
        r"|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_mlp|proj_out)"
    ),
    not_convertible="convert_lora.py writes wrong names for FramePack (28 of 44 modules, v0.3.4).",
    generator_options=with_choice(
        GENERATOR_OPTIONS, "fp8", "fp8", "fp8 alone fails (AttributeError: float8e4m3fn, v0.3.4); fp8_scaled works."
    ),
)
