"""Recognition of LoRAs: model, format and rank."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from musubi_nodes.weights import Header

PREFIX = "lora_unet_"
_HALVES = re.compile(
    r"\.(lora_(A|B|down|up|mid)(\.default)?|alpha|dora_scale|diff(_b)?|hada_\w+|lokr_\w+|oft_\w+)(\.weight)?$"
)
NETWORKS = {".lokr_w1": "LoKr", ".hada_w1_a": "LoHa", ".lora_down": "LoRA", ".lora_A": "LoRA", ".lora.down": "LoRA"}
"""Part of a tensor's name -> network (utils/lora_utils.py)."""
_RANKS = (".lora_down.weight", ".lora_A.weight", ".hada_w1_b", ".hada_w2_b", ".lokr_w2_b", ".lokr_w1_b")
"""Tensors with the rank as first side (lora.py, loha.py, lokr.py, v0.3.4)."""
_SPELLINGS = (
    (PREFIX, "musubi-tuner's format"),
    ("lora_transformer_", "OneTrainer's format"),
    ("lora_te", "kohya's format, for text encoders"),
    ("lycoris_", "LyCORIS format"),
    ("diffusion_model.", "ComfyUI's format"),
    ("transformer.", "diffusers format"),
    ("unet.", "diffusers format"),
    ("base_model.model.", "PEFT format"),
)
"""Prefix -> format, for messages."""


@dataclass(frozen=True)
class LoraKind:
    """LoRAs of one model.

    ``module`` matches a module, with ``_`` for ``.``; ``base`` matches the metadata.
    """

    name: str
    module: str = "(?!)"
    base: str = "(?!)"


LORAS = (
    LoraKind("Wan", r"blocks_\d+_(self|cross)_attn_[qkvo]", r"wan.*"),
    LoraKind("Wan", r"blocks_\d+_attn[12]_to_[qkv]"),
    LoraKind("HunyuanVideo 1.5", r"double_blocks_\d+_(img|txt)_attn_[qkv]", r"hunyuan_video_1_5|hunyuan-video-1\.5.*"),
    LoraKind("FramePack", base="framepack.*"),
    LoraKind(
        "HunyuanVideo",
        r"double_blocks_\d+_(img|txt)_(mlp_fc[12]|mod_linear)|single_blocks_(3[89]_.*|\d+_modulation_linear)",
        r"hunyuan_video|hunyuan-video.*",
    ),
    LoraKind("HunyuanVideo or FramePack", r"single_transformer_blocks_3[89]_.*"),
    LoraKind("FLUX.2", r"single_blocks_4\d_.*|single_transformer_blocks_\d+_attn_to_qkv_mlp_proj", r"(?i)flux[._]?2.*"),
    LoraKind("FLUX.1", r"double_blocks_\d+_(img|txt)_(mlp_[02]|mod_lin)", r"(?i)flux.*"),
    LoraKind("FLUX.1", r"single_transformer_blocks_\d+_(proj_mlp|attn_to_[qkv])"),
    LoraKind("FLUX.1, FLUX.2 or HunyuanVideo", r"double_blocks_\d+_.*|single_blocks_\d+_.*"),
    LoraKind("Qwen-Image", r"transformer_blocks_\d+_(img|txt)_(mlp|mod)_.*", r"(?i)qwen[-_]image.*"),
    LoraKind("Qwen-Image", r"transformer_blocks_[45]\d_attn_.*"),
    LoraKind("Z-Image", r"layers_\d+_attention_to_[qkv]", r"(?i)z[-_]image.*"),
    LoraKind("Z-Image or Lumina 2", r"layers_\d+_(attention_(qkv|out)|adaLN_.*)"),
    LoraKind("Ideogram 4", r"layers_\d+_attention_o", r"(?i)ideogram.*"),
    LoraKind("Krea 2", r"blocks_\d+_attn_w[qkvo]|txtfusion_.*", r"(?i)krea.*"),
    LoraKind("Kandinsky 5", r"(visual|text)_transformer_blocks_\d+_.*", r"(?i)kandinsky.*"),
    LoraKind("HiDream-O1", r"model_language_model_layers_\d+_.*|t_embedder1_.*", r"(?i)hidream.*"),
    LoraKind("LTX-Video", r"transformer_blocks_\d+_attn2_to_[qkv]", r"(?i)ltx.*"),
    LoraKind("CogVideoX", r"transformer_blocks_\d+_attn1_to_[qkv]"),
    LoraKind("Stable Diffusion 3", r"(joint|transformer)_blocks_\d+_.*", r"(?i)(stable-diffusion-v?3|sd3).*"),
    LoraKind("SDXL", r"te2_text_model_.*", r"(?i)(sdxl|stable-diffusion-xl).*"),
    LoraKind("SDXL", r"(in|out)put_blocks_\d+_1_transformer_blocks_[2-9]_.*"),
    LoraKind("SDXL", r"(down|up)_blocks_\d_attentions_\d_transformer_blocks_[2-9]_.*"),
    LoraKind("Stable Diffusion 1.5", base=r"(?i)(sd_v?[12]|stable-diffusion-v[12]).*"),
    LoraKind("Stable Diffusion 1.5 or SDXL", r"(down|up|input|output)_blocks_\d+_.*|mid(dle)?_block_.*"),
)
"""Tried in order, metadata first.

Source: dataset/architectures.py, utils/sai_model_spec.py (v0.3.4); sd-scripts' ``ss_base_model_version``.
"""


def is_lora(header: Header) -> bool:
    return any(part in name for name in header.tensors for part in NETWORKS)


def lora_name(header: Header) -> str:
    """Describe a LoRA, such as ``a LoRA of FLUX.1 in diffusers format``."""
    kind, spelling = _kind(header), _spelling(header)
    return " ".join(filter(None, (f"a {network_of(header)}", kind and f"of {kind}", spelling and f"in {spelling}")))


def network_of(header: Header) -> str:
    return next((name for part, name in NETWORKS.items() if any(part in key for key in header.tensors)), "LoRA")


def ranks(header: Header) -> set[int]:
    return {t.shape[0] for name, t in header.tensors.items() if name.endswith(_RANKS) and len(t.shape) >= 2}


def modules_in(header: Header) -> Iterator[str]:
    """Yield changed modules, without prefix."""
    prefixes = tuple(prefix for prefix, _ in _SPELLINGS if prefix != "lora_te")
    for stem in dict.fromkeys(_HALVES.sub("", name) for name in header.tensors):
        prefix = next((each for each in prefixes if stem.startswith(each)), "")
        yield stem[len(prefix) :]


def _kind(header: Header) -> str:
    bases = [header.metadata.get(key, "") for key in ("ss_base_model_version", "modelspec.architecture")]
    named = (kind.name for kind in LORAS if any(base and re.fullmatch(kind.base, base) for base in bases))
    if found := next(named, ""):
        return found
    flat = [name.replace(".", "_").removeprefix("lora_") for name in modules_in(header)]
    return next((kind.name for kind in LORAS if any(re.fullmatch(kind.module, name) for name in flat)), "")


def _spelling(header: Header) -> str:
    return next((what for prefix, what in _SPELLINGS if any(name.startswith(prefix) for name in header.tensors)), "")
