"""Files of Hugging Face that fit Wan's models node; the examples use the first of each."""

from __future__ import annotations

from musubi_nodes.families import hub_files

WAN21, WAN22 = "Comfy-Org/Wan_2.1_ComfyUI_repackaged", "Comfy-Org/Wan_2.2_ComfyUI_Repackaged"
OFFICIAL = "Wan-AI/Wan2.1-I2V-14B-720P"
FOLDER = "split_files/diffusion_models"

DITS = hub_files(
    WAN21,
    FOLDER,
    "wan2.1_t2v_14B_bf16.safetensors",
    "wan2.1_t2v_1.3B_bf16.safetensors",
    "wan2.1_i2v_720p_14B_bf16.safetensors",
)
LOW_NOISE, HIGH_NOISE = (
    hub_files(WAN22, FOLDER, *(f"wan2.2_{task}_{noise}_noise_14B_fp16.safetensors" for task in ("t2v", "i2v")))
    for noise in ("low", "high")
)
VAE = hub_files(WAN21, "split_files/vae", "wan_2.1_vae.safetensors")
T5 = hub_files(OFFICIAL, "", "models_t5_umt5-xxl-enc-bf16.pth")
CLIP = hub_files(OFFICIAL, "", "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth")
