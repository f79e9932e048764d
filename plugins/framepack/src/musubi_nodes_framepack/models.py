"""The files of FramePack, and what its loaders can read of them (frame_pack/framepack_utils.py, v0.3.4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes.families import (
    CLIP_L,
    CLIP_L_FILES,
    LLAMA,
    LLAMA_BARE,
    LLAMA_FILES,
    LLAMA_WITHOUT_HEAD,
    PLAIN,
    Accepts,
    LlamaClipModels,
    ModelFile,
    Option,
    WeightsKind,
    accepts_known,
    hub_files,
)
from musubi_nodes_framepack.family import DIT

PACKED = WeightsKind(
    "a FramePack DiT",
    {
        "clean_x_embedder.proj.weight": (),
        "image_projection.up.weight": (),
        "transformer_blocks.0.attn.to_q.weight": (),
        "single_transformer_blocks.0.attn.to_q.weight": (),
    },
)

PACKED_DIT = Accepts(
    PACKED.name, (PACKED,), sharded=True, fix="Choose FramePackI2V_HY_bf16.safetensors, or the first of its parts."
)
LLAMA_TEXT = Accepts(
    LLAMA.name,
    (LLAMA, LLAMA_WITHOUT_HEAD, LLAMA_BARE),
    quantised=(PLAIN,),
    sharded=True,
    fix="Choose llava_llama3_fp16.safetensors.",
)
CLIP_TEXT = Accepts(CLIP_L.name, (CLIP_L,), quantised=(PLAIN,), fix="Choose clip_l.safetensors.")
SIGLIP_IMAGE = accepts_known(
    "a SigLIP image encoder", quantised=(PLAIN,), fix="Choose sigclip_vision_patch14_384.safetensors."
)
"""Encoders keep the precision of the file, and none can be computed with in fp8."""

DITS = hub_files("Kijai/HunyuanVideo_comfy", "", "FramePackI2V_HY_bf16.safetensors")
SIGLIP_FILES = hub_files("Comfy-Org/sigclip_vision_384", "", "sigclip_vision_patch14_384.safetensors")


class FramePackModels(LlamaClipModels):
    """FramePack's files."""

    socket = "MUSUBI_FRAMEPACK_MODELS"
    size = DIT

    dit: Annotated[str, ModelFile("diffusion_models", accepts=PACKED_DIT, downloads=DITS), Option()] = Field(
        description="The DiT."
    )
    text_encoder1: Annotated[str, ModelFile("text_encoders", accepts=LLAMA_TEXT, downloads=LLAMA_FILES), Option()] = (
        Field(description="The LLaVA-Llama text encoder.")
    )
    text_encoder2: Annotated[str, ModelFile("text_encoders", accepts=CLIP_TEXT, downloads=CLIP_L_FILES), Option()] = (
        Field(description="The CLIP-L text encoder.")
    )
    image_encoder: Annotated[str, ModelFile("clip_vision", accepts=SIGLIP_IMAGE, downloads=SIGLIP_FILES), Option()] = (
        Field(description="The SigLIP image encoder.")
    )
