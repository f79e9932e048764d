"""Models with LLaVA-Llama and CLIP-L text encoders: HunyuanVideo and FramePack."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes.commands.option import Option
from musubi_nodes.families.fields import ModelFile
from musubi_nodes.families.hub_file import hub_files
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.models.node import Models
from musubi_nodes.families.recognition.accepts import Accepts
from musubi_nodes.families.recognition.kinds import Shape, WeightsKind

LLAMA_CLIP_DIT = DitSize("13B", 40, 0.29, 60, 3072, (0.43, 0.18), 92_160, most_swap=(36, 38))
"""20 double and 40 single blocks, of which two count as one (docs/hunyuan_video.md and docs/framepack.md, v0.3.4).
Training was fitted on HunyuanVideo's measurements; for generating its tensors were counted: 43 bytes for each token
and channel, times the 1.46 that Wan's training took more than such a count."""
TILED_VAE = {"vae_tiling": True, "vae_chunk_size": 32, "vae_spatial_tile_sample_min_size": 128}
"""Options of HunyuanVideo's VAE that save memory (docs/hunyuan_video.md, docs/framepack.md, v0.3.4)."""

VAE = WeightsKind(
    "HunyuanVideo's VAE",
    {"encoder.conv_in.conv.weight": (), "decoder.conv_in.conv.weight": (None, 16), "post_quant_conv.weight": (16, 16)},
    without=("encoder.down.0.block.0.conv1.conv.weight", "decoder.mid_block.resnets.0.norm1.norm_layer.weight"),
)
_BARE: dict[str, Shape] = {"embed_tokens.weight": (None, 4096), "layers.0.self_attn.q_proj.weight": ()}
_LLAMA = {f"model.{name}": shape for name, shape in _BARE.items()}
_QWEN3 = "layers.0.self_attn.q_norm.weight"
LLAMA = WeightsKind("a LLaVA-Llama 3 text encoder", {**_LLAMA, "lm_head.weight": ()}, without=(f"model.{_QWEN3}",))
LLAMA_WITHOUT_HEAD = WeightsKind(
    "a LLaVA-Llama 3 text encoder without its lm_head", _LLAMA, without=(f"model.{_QWEN3}", "lm_head.weight")
)
LLAMA_BARE = WeightsKind("a LLaVA-Llama 3 text encoder of transformers", _BARE, without=(_QWEN3, "lm_head.weight"))
CLIP_L = WeightsKind(
    "a CLIP-L text encoder",
    {"text_model.embeddings.token_embedding.weight": (None, 768), "text_model.final_layer_norm.weight": (768,)},
    without=("text_projection.weight", "vision_model.embeddings.patch_embedding.weight"),
)

VIDEO_VAE = Accepts(
    VAE.name,
    (VAE,),
    prefixes=("", "vae."),
    fix="Choose HunyuanVideo's VAE: pytorch_model.pt, or vae/diffusion_pytorch_model.safetensors.",
)
"""``load_vae`` of hunyuan_model/vae.py (v0.3.4), which copies into its own precision."""
LLAMA_TEXT = Accepts(LLAMA.name, (LLAMA,), fix="Choose llava_llama3_fp16.safetensors.")
CLIP_TEXT = Accepts(CLIP_L.name, (CLIP_L,), fix="Choose clip_l.safetensors.")
"""``load_llm`` and ``load_clip_l`` of hunyuan_model/text_encoder.py (v0.3.4): strict, then cast to the chosen dtype."""

_REPACKAGED = "Comfy-Org/HunyuanVideo_repackaged"
VAE_FILES = hub_files("Kijai/HunyuanVideo_comfy", "", "hunyuan_video_vae_fp32.safetensors")
LLAMA_FILES = hub_files(_REPACKAGED, "split_files/text_encoders", "llava_llama3_fp16.safetensors")
CLIP_L_FILES = hub_files(_REPACKAGED, "split_files/text_encoders", "clip_l.safetensors")


class LlamaClipModels(Models):
    """DiT, HunyuanVideo's VAE, and the two text encoders."""

    size = LLAMA_CLIP_DIT

    dit: Annotated[str, ModelFile("diffusion_models"), Option()] = Field(description="The DiT.")
    vae: Annotated[str, ModelFile("vae", pickled=True, accepts=VIDEO_VAE, downloads=VAE_FILES), Option()] = Field(
        description="HunyuanVideo's VAE."
    )
    text_encoder1: Annotated[str, ModelFile("text_encoders", accepts=LLAMA_TEXT, downloads=LLAMA_FILES), Option()] = (
        Field(description="The LLaVA-Llama text encoder.")
    )
    text_encoder2: Annotated[str, ModelFile("text_encoders", accepts=CLIP_TEXT, downloads=CLIP_L_FILES), Option()] = (
        Field(description="The CLIP-L text encoder.")
    )
