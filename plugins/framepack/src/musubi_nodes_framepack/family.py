"""FramePack as shared nodes see it."""

from __future__ import annotations

from musubi_nodes.families import GENERATOR_SPELLING, LLAMA_CLIP_DIT, Family, FrameRule

WINDOW = 9
"""latent_window_size: a section has four times as many frames (fpack_train_network.py, v0.3.4)."""

FRAMEPACK = Family(
    key="framepack",
    title="FramePack",
    architecture="fp",
    network_module="networks.lora_framepack",
    frame_rule=FrameRule(window=WINDOW),
    fps=30,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 3.0},
    fp8_text_encoder="fp8_llm",
    sizes=(LLAMA_CLIP_DIT,),
    lora_modules=(
        r"transformer_blocks\.\d+\.(attn\.\w+(\.0)?|ff(_context)?\.net\.\d(\.proj)?)"
        r"|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_mlp|proj_out)"
    ),
    not_convertible="convert_lora.py writes wrong names for FramePack (28 of 44 modules, v0.3.4).",
    generator_spelling={
        "attention": {**GENERATOR_SPELLING["attention"], "flash3": "fpack_generate_video.py does not offer it."},
        "fp8": {
            "fp8": "fp8 alone fails (AttributeError: float8e4m3fn, v0.3.4); fp8_scaled works.",
            "fp8_scaled": {"fp8": True, "fp8_scaled": True},
        },
    },
)
