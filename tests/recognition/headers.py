"""Weights files that are nothing but a header: the names and shapes of real ones, without their gigabytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

from musubi_nodes.weights import Header, TensorInfo

Shapes = Mapping[str, tuple[int, ...]]
BYTES = {"BF16": 2, "F8_E4M3": 1, "F32": 4, "U8": 1}


def header(tensors: Shapes, dtype: str = "BF16", metadata: Mapping[str, str] | None = None) -> Header:
    """The header of such a file."""
    return Header({name: TensorInfo(dtype, shape) for name, shape in tensors.items()}, dict(metadata or {}))


def weights_file(path: Path, tensors: Shapes, dtype: str = "BF16") -> Path:
    """The file, whose tensors are a hole: it takes no room on the disk."""
    entries, end = {}, 0
    for name, shape in tensors.items():
        begin, end = end, end + BYTES[dtype] * prod(shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def scaled(tensors: Shapes) -> dict[str, tuple[int, ...]]:
    """The same with scales as ComfyUI wrote them first."""
    scales = {name.removesuffix(".weight") + ".scale_weight": () for name in tensors if name.endswith(".weight")}
    return {**tensors, **scales, "scaled_fp8": (2,)}


def comfy_quant(tensors: Shapes) -> dict[str, tuple[int, ...]]:
    """The same with scales as ComfyUI writes them today."""
    layers = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    return {
        **tensors,
        **{f"{each}.weight_scale": () for each in layers},
        **{f"{each}.comfy_quant": (8,) for each in layers},
    }


def prefixed(prefix: str, tensors: Shapes) -> dict[str, tuple[int, ...]]:
    """The same with ``prefix`` before each name."""
    return {prefix + name: shape for name, shape in tensors.items()}


def wan_dit(width: int, channels: int, *more: str) -> dict[str, tuple[int, ...]]:
    """A Wan DiT."""
    base = {
        "patch_embedding.weight": (width, channels, 1, 2, 2),
        "head.modulation": (1, 2, width),
        "blocks.0.self_attn.q.weight": (width, width),
        "blocks.0.cross_attn.k.weight": (width, width),
    }
    return {**base, **dict.fromkeys(more, (width,))}


IMAGE, FIRST_AND_LAST = "img_emb.proj.1.weight", "img_emb.emb_pos"
WAN_VAE = {
    "encoder.conv1.weight": (96, 3, 3, 3, 3),
    "decoder.conv1.weight": (384, 16, 3, 3, 3),
    "conv2.weight": (16, 16, 1, 1, 1),
}
WAN22_VAE = {
    "encoder.conv1.weight": (160, 12, 3, 3, 3),
    "decoder.conv1.weight": (1024, 48, 3, 3, 3),
    "conv2.weight": (48, 48, 1, 1, 1),
}
WAN_T5 = {"token_embedding.weight": (256384, 4096), "blocks.0.attn.q.weight": (4096, 4096), "norm.weight": (4096,)}
WAN_CLIP = {"visual.patch_embedding.weight": (1280, 3, 14, 14), "textual.token_embedding.weight": (250002, 1024)}
UMT5 = {
    "shared.weight": (256384, 4096),
    "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096),
    "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": (32, 64),
}
T5_XXL = {"shared.weight": (32128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}
HUNYUAN_DIT = {
    "img_in.proj.weight": (3072, 16, 1, 2, 2),
    "double_blocks.0.img_attn_qkv.weight": (9216, 3072),
    "single_blocks.0.linear1.weight": (21504, 3072),
    "txt_in.individual_token_refiner.blocks.0.norm1.weight": (3072,),
}
HUNYUAN_VAE = {
    "encoder.conv_in.conv.weight": (128, 3, 3, 3, 3),
    "decoder.conv_in.conv.weight": (512, 16, 3, 3, 3),
    "decoder.mid_block.resnets.0.conv1.conv.weight": (512, 512, 3, 3, 3),
    "post_quant_conv.weight": (16, 16, 1, 1, 1),
}
LLAVA_LLAMA = {
    "model.embed_tokens.weight": (128320, 4096),
    "model.layers.0.self_attn.q_proj.weight": (4096, 4096),
    "lm_head.weight": (128320, 4096),
}
CLIP_L = {
    "text_model.embeddings.token_embedding.weight": (49408, 768),
    "text_model.encoder.layers.0.mlp.fc1.weight": (3072, 768),
    "text_model.final_layer_norm.weight": (768,),
}
FRAMEPACK_DIT = {
    "x_embedder.proj.weight": (3072, 16, 1, 2, 2),
    "context_embedder.proj_in.weight": (3072, 4096),
    "clean_x_embedder.proj.weight": (3072, 16, 1, 2, 2),
    "image_projection.up.weight": (3456, 1152),
    "transformer_blocks.0.attn.to_q.weight": (3072, 3072),
    "single_transformer_blocks.0.attn.to_q.weight": (3072, 3072),
    "single_transformer_blocks.0.proj_mlp.weight": (12288, 3072),
}
SIGLIP = {
    "vision_model.embeddings.patch_embedding.weight": (1152, 3, 14, 14),
    "vision_model.embeddings.position_embedding.weight": (729, 1152),
    "vision_model.post_layernorm.weight": (1152,),
}
CLIP_VISION_H = {
    "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
    "vision_model.embeddings.position_embedding.weight": (257, 1280),
    "vision_model.post_layernorm.weight": (1280,),
}
FLUX1 = {
    "img_in.weight": (3072, 64),
    "vector_in.in_layer.weight": (3072, 768),
    "guidance_in.in_layer.weight": (3072, 256),
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
}
FLUX2 = {
    "img_in.weight": (6144, 128),
    "double_stream_modulation_img.lin.weight": (36864, 6144),
    "double_blocks.0.img_attn.qkv.weight": (18432, 6144),
}
QWEN_IMAGE = {
    "img_in.weight": (3072, 64),
    "txt_norm.weight": (3584,),
    "transformer_blocks.0.img_mlp.net.0.proj.weight": (12288, 3072),
}
Z_IMAGE = {
    "cap_pad_token": (1, 3840),
    "cap_embedder.1.weight": (3840, 2560),
    "noise_refiner.0.attention_norm1.weight": (3840,),
}
HUNYUAN15 = {
    "img_in.proj.weight": (2048, 65, 1, 1, 1),
    "txt_in.individual_token_refiner.blocks.0.norm1.weight": (2048,),
    "cond_type_embedding.weight": (3, 2048),
    "double_blocks.0.img_attn_q.weight": (2048, 2048),
}
SDXL_UNET = {
    "input_blocks.0.0.weight": (320, 4, 3, 3),
    "middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 2048),
    "label_emb.0.0.weight": (1280, 2816),
}
SD15_UNET = {
    "input_blocks.0.0.weight": (320, 4, 3, 3),
    "middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 768),
}
FLUX_AE = {"encoder.down.0.block.0.conv1.weight": (128, 128, 3, 3), "decoder.conv_in.weight": (512, 16, 3, 3)}
SDXL_VAE = {"encoder.down.0.block.0.conv1.weight": (128, 128, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}
