"""HunyuanVideo as shared nodes see it."""

from __future__ import annotations

from musubi_nodes.families import GENERATOR_OPTIONS, LLAMA_CLIP_DIT, TILED_VAE, TRAINER_OPTIONS, Family, with_choice

NO_SCALED = "musubi-tuner has no fp8_scaled for HunyuanVideo."

SPLIT_ATTN = {
    "sdpa": "without it HunyuanVideo holds a mask of tokens times tokens",
    "xformers": "HunyuanVideo has xformers only so",
}
"""hunyuan_model/models.py and hunyuan_model/attention.py, v0.3.4."""

HUNYUAN = Family(
    key="hunyuan",
    title="HunyuanVideo",
    architecture="hv",
    network_module="networks.lora",
    needs_lycoris=True,
    fps=24,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 7.0},
    fp8_text_encoder="fp8_llm",
    sizes=(LLAMA_CLIP_DIT,),
    vae_saving=TILED_VAE,
    trainer_split_attn=SPLIT_ATTN,
    generator_split_attn=SPLIT_ATTN,
    lora_modules=(
        r"double_blocks\.\d+\.(img|txt)_(attn_qkv|attn_proj|mlp\.fc[12]|mod\.linear)"
        r"|single_blocks\.\d+\.(linear[12]|modulation\.linear)"
    ),
    trainer_options=with_choice(TRAINER_OPTIONS, "fp8", "fp8_scaled", NO_SCALED),
    generator_options=with_choice(GENERATOR_OPTIONS, "fp8", "fp8_scaled", NO_SCALED),
)
