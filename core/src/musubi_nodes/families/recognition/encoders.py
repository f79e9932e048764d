"""Text and image encoders without a family plugin (see :mod:`.dits`)."""

from __future__ import annotations

from musubi_nodes.families.recognition.kinds import Shape, WeightsKind

_T5 = {"encoder.block.0.layer.0.SelfAttention.q.weight": ()}
_LLM = {"embed_tokens.weight": (), "layers.0.self_attn.q_proj.weight": ()}
_QWEN3 = {**_LLM, "layers.0.self_attn.q_norm.weight": ()}
_QWEN3_VL: dict[str, Shape] = {
    "a Qwen3-VL text encoder": (),
    "the Qwen3-VL 4B text encoder of Krea 2": (151936, 2560),
    "the Qwen3-VL 8B text encoder of Ideogram 4": (151936, 4096),
}
_CLIP = {"text_model.embeddings.token_embedding.weight": (), "text_model.encoder.layers.0.mlp.fc1.weight": ()}
_VISION = {"vision_model.embeddings.patch_embedding.weight": ()}

TEXT_ENCODERS = (
    WeightsKind("a T5 text encoder", _T5),
    WeightsKind("the T5-XXL text encoder of FLUX.1 and Stable Diffusion 3", {**_T5, "shared.weight": (None, 4096)}),
    WeightsKind(
        "ComfyUI's umt5 text encoder",
        {**_T5, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": ()},
    ),
    WeightsKind("ComfyUI's umt5 text encoder", {**_T5, "shared.weight": (256384, 4096)}),
    WeightsKind("the ByT5 text encoder of HunyuanVideo 1.5", {**_T5, "shared.weight": (None, 1472)}),
    WeightsKind("a CLIP-G text encoder", {**_CLIP, "text_model.encoder.layers.31.mlp.fc1.weight": (5120, 1280)}),
    WeightsKind("a whole CLIP with text and pictures", {**_CLIP, **_VISION}),
    WeightsKind("the Llama 3.1 8B text encoder (HiDream)", {**_LLM, "embed_tokens.weight": (128256, 4096)}),
    WeightsKind("a language model of the Llama kind", _LLM),
    WeightsKind("a Qwen3 text encoder", _QWEN3),
    WeightsKind("the Qwen3 0.6B text encoder", {**_QWEN3, "embed_tokens.weight": (151936, 1024)}),
    WeightsKind("the Qwen3 1.7B text encoder", {**_QWEN3, "embed_tokens.weight": (151936, 2048)}),
    WeightsKind(
        "the Qwen3 4B text encoder of Z-Image and FLUX.2 klein", {**_QWEN3, "embed_tokens.weight": (151936, 2560)}
    ),
    WeightsKind("the Qwen3 8B text encoder of FLUX.2 klein", {**_QWEN3, "embed_tokens.weight": (151936, 4096)}),
    *(
        WeightsKind(
            name,
            {f"{visual}.deepstack_merger_list.0.norm.weight": ()}
            | {f"{text}.{part}": () for part in _QWEN3}
            | {f"{text}.embed_tokens.weight": shape},
        )
        for visual, text in (("model.visual", "model.language_model"), ("visual", "model"))
        for name, shape in _QWEN3_VL.items()
    ),
    WeightsKind(
        "the Qwen2.5-VL text encoder of Qwen-Image and HunyuanVideo 1.5",
        {"visual.blocks.0.attn.qkv.weight": (), "model.layers.0.self_attn.q_proj.bias": (), "model.norm.weight": ()},
    ),
    WeightsKind(
        "the Mistral 3 text encoder of FLUX.2 dev", {"multi_modal_projector.linear_1.weight": ()}, prefixes=("",)
    ),
    WeightsKind("ComfyUI's Mistral 3 text encoder of FLUX.2 dev", {**_LLM, "embed_tokens.weight": (131072, 5120)}),
    WeightsKind("a Gemma text encoder", {**_LLM, "layers.0.post_feedforward_layernorm.weight": ()}),
)

IMAGE_ENCODERS = (
    WeightsKind("a CLIP image encoder", _VISION),
    WeightsKind(
        "ComfyUI's CLIP vision (clip_vision_h)", {"vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14)}
    ),
    WeightsKind("ComfyUI's CLIP vision (ViT-L)", {"vision_model.embeddings.patch_embedding.weight": (1024, 3, 14, 14)}),
    WeightsKind(
        "a SigLIP image encoder",
        {"vision_model.embeddings.patch_embedding.weight": (1152,), "vision_model.post_layernorm.weight": (1152,)},
    ),
    WeightsKind(
        "the SigLIP image encoder for 512 pixels",
        {
            "vision_model.embeddings.patch_embedding.weight": (1152,),
            "vision_model.embeddings.position_embedding.weight": (1024, 1152),
        },
    ),
    WeightsKind("a DINOv2 image encoder", {"encoder.layer.0.layer_scale1.lambda1": ()}),
)

ENCODERS = (*TEXT_ENCODERS, *IMAGE_ENCODERS)
