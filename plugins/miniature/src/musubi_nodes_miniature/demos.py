"""The smallest whole workflow of each family: which toy models, which dataset, how short a video."""

from __future__ import annotations

from musubi_nodes.families import Demo

_WAN = {
    "task": "t2v-14B",
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}
_HUNYUAN = {
    "dit": "miniature/hunyuan_video_t2v.safetensors",
    "vae": "miniature/hunyuan_video_vae.safetensors",
    "text_encoder1": "miniature/llava_llama3.safetensors",
    "text_encoder2": "miniature/clip_l.safetensors",
}
_FRAMEPACK = {
    **_HUNYUAN,
    "dit": "miniature/framepack_i2v.safetensors",
    "image_encoder": "miniature/siglip.safetensors",
}
_Z_IMAGE = {
    "dit": "miniature/z_image.safetensors",
    "vae": "miniature/ae.safetensors",
    "text_encoder": "miniature/qwen_3_4b.safetensors",
}
_WINDOW = 2
"""Latent frames of a FramePack section; a section has four times as many frames, and a video one more."""

DEMOS = {
    "wan": Demo(_WAN, {"video_length": 17}),
    "hunyuan": Demo(_HUNYUAN, {"video_length": 17}),
    "framepack": Demo(
        _FRAMEPACK,
        {"latent_window_size": _WINDOW, "video_seconds": 0.8},
        frames=_WINDOW * 4 + 1,
        dataset={"target_frames": [_WINDOW * 4 + 1], "fp_latent_window_size": _WINDOW},
        first_frame=True,
    ),
    "z_image": Demo(_Z_IMAGE),
}
