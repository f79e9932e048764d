"""What Wan's loaders can read (wan/modules, v0.3.4): all are strict but the VAE's, and that one cannot do without."""

from __future__ import annotations

from dataclasses import replace

from musubi_nodes.families import Accepts, Shape, WeightsKind, accepts_known

BASE: dict[str, Shape] = {
    "head.modulation": (),
    "blocks.0.self_attn.q.weight": (),
    "blocks.0.cross_attn.k.weight": (),
}
IMAGE, FIRST_AND_LAST = "img_emb.proj.1.weight", "img_emb.emb_pos"
OTHERS = (
    *("vace_patch_embedding.weight", "control_adapter.conv.weight", "ref_conv.weight", "patch_embedding_pose.weight"),
    *("casual_audio_encoder.encoder.final_linear.weight", "audio_proj.audio_proj_glob_1.layer.bias"),
    *("audio_proj.proj1.weight", "face_adapter.fuser_blocks.0.k_norm.weight"),
)
"""Of DiTs that are built on Wan, and for which musubi-tuner has no task."""


def _dit(name: str, width: int | None, channels: int, *tasks: str, image: tuple[str, ...] = ()) -> WeightsKind:
    """``width`` is ``None`` where only the channels tell, or nobody knows the size."""
    tensors = {"patch_embedding.weight": (width, channels), **BASE, **dict.fromkeys(image, ())}
    lacking = {IMAGE, FIRST_AND_LAST}.difference(image)
    return WeightsKind(name, tensors, without=(*sorted(lacking), *OTHERS), tasks=tasks)


DITS = (
    _dit("a Wan T2V DiT", None, 16, "t2v-14B", "t2v-1.3B", "t2i-14B", "t2v-A14B"),
    _dit("a Wan 2.1 or 2.2 T2V DiT (14B)", 5120, 16, "t2v-14B", "t2i-14B", "t2v-A14B"),
    _dit("a Wan 2.1 T2V DiT (1.3B)", 1536, 16, "t2v-1.3B"),
    _dit("a Wan 2.1 I2V DiT (14B)", None, 36, "i2v-14B", image=(IMAGE,)),
    _dit("a Wan 2.1 FLF2V DiT (14B)", None, 36, "flf2v-14B", image=(IMAGE, FIRST_AND_LAST)),
    _dit("a Wan 2.2 I2V DiT (A14B)", None, 36, "i2v-A14B"),
    _dit("a Wan Fun-Control DiT", None, 48, "t2v-1.3B-FC", "t2v-14B-FC", "i2v-14B-FC", image=(IMAGE,)),
    _dit("a Wan Fun-Control DiT (14B)", 5120, 48, "t2v-14B-FC", "i2v-14B-FC", image=(IMAGE,)),
    _dit("a Wan Fun-Control DiT (1.3B)", 1536, 48, "t2v-1.3B-FC", image=(IMAGE,)),
)
T5 = WeightsKind(
    "Wan's own T5 text encoder", {"token_embedding.weight": (), "blocks.0.attn.q.weight": (), "norm.weight": ()}
)
CLIP = WeightsKind(
    "Wan's CLIP image encoder", {"visual.patch_embedding.weight": (), "textual.token_embedding.weight": ()}
)

WAN_DIT = Accepts("a Wan DiT", DITS, prefixes=("", "model.diffusion_model."), sharded=True)
WAN_VAE = replace(
    accepts_known(
        "the VAE of Wan 2.1 or Qwen-Image",
        fix="Choose wan_2.1_vae.safetensors; all models of Wan 2.2 14B use it too.",
    ),
    name="Wan 2.1's VAE",
)
WAN_T5 = Accepts(
    "Wan's own T5 text encoder",
    (T5,),
    prefixes=("", "encoder."),
    fix="Choose models_t5_umt5-xxl-enc-bf16.pth from Wan-AI's repository.",
)
WAN_CLIP = Accepts(
    "Wan's CLIP image encoder",
    (CLIP,),
    fix="Choose models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth from Wan-AI's repository.",
)
