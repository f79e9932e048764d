"""Loading HunyuanVideo's toy VAE, text encoders and DiT with upstream's lines and refusals."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .dual_dit import DualStreamDiT
from .encoders import ToyVAE, fingerprint, word_vectors
from .errors import refuse_weights
from .hunyuan_models import NAMES, REAL_BLOCKS, dit_shapes
from .loading import check_shapes, read_weights
from .lora import LOG, merge_into
from .output import MAIN
from .tensors import Array, Tensor, load

VAE = logging.getLogger("musubi_tuner.hunyuan_model.vae")
TEXT = logging.getLogger("musubi_tuner.hunyuan_model.text_encoder")

SCALING_FACTOR = 0.476986
LLM_LENGTH, CLIP_LENGTH, POOLED_WIDTH = 256, 77, 768
TOKENIZERS = {
    "llm": "xtuner/llava-llama-3-8b-v1_1-transformers",
    "clipL": "openai/clip-vit-large-patch14",
}
NEEDED = {
    "llm": ("LlamaModel", "model.embed_tokens.weight"),
    "clipL": ("CLIPTextModel", "text_model.embeddings.token_embedding.weight"),
}
ATTENTION = {"flash_attn": "flash", "xformers": "xformers", "flash3": "flash3"}


def load_vae(path: str | None, dtype: str | None = None) -> ToyVAE:
    """The VAE, also FramePack's; its latents are scaled, unlike the ones in HunyuanVideo's caches."""
    assert path is not None, "VAE path must be specified"
    assert Path(path).exists(), f"VAE path does not exist: {path}"
    VAE.info(f"Loading 3D VAE model (884-16c-hy) from: {path}")
    seed = fingerprint(path, "decoder.conv_in.conv.weight")
    if seed is None:
        missing = 'Missing key(s) in state_dict: "encoder.conv_in.conv.weight", "decoder.conv_in.conv.weight". '
        refuse_weights("AutoencoderKLCausal3D", [missing])
    VAE.info(f"VAE to dtype: torch.{dtype or 'float16'}")
    return ToyVAE(seed)


def check_text_encoder(path: str, kind: str) -> None:
    """Refuse a file that is no text encoder of this kind, ``llm`` or ``clipL``."""
    name, needed = NEEDED[kind]
    if fingerprint(path, needed) is None:
        refuse_weights(name, [f'Missing key(s) in state_dict: "{needed}". '])


class TextEncoder:
    """One of the two text encoders: ``llm`` gives 256 padded vectors of 4096, ``clipL`` one vector of 768."""

    def __init__(self, path: str, kind: str, fp8: bool = False, dtype: str | None = None) -> None:
        self.kind = kind
        TEXT.info(f"Loading text encoder model ({kind}) from: {path}")
        check_text_encoder(path, kind)
        TEXT.info(f"Text encoder to dtype: torch.{dtype or 'float16'}")
        TEXT.info(f"Loading tokenizer ({kind}) from: {path}")
        TEXT.info(f"Loading tokenizer from Hugging Face: {TOKENIZERS[kind]}")
        if fp8:
            TEXT.info("Moving and casting text encoder to cpu and torch.float8_e4m3fn")

    def encode(self, caption: str) -> tuple[Array, Array]:
        """Values and mask."""
        if self.kind == "clipL":
            return pooled(caption)
        return padded(word_vectors(caption, LLM_LENGTH, "<|eot_id|>"), LLM_LENGTH)


def pooled(caption: str) -> tuple[Array, Array]:
    """One vector for a caption, and the mask of its tokens."""
    vectors = word_vectors(caption, CLIP_LENGTH, "<|endoftext|>", POOLED_WIDTH)
    mask = np.zeros(CLIP_LENGTH, np.int64)
    mask[: len(vectors)] = 1
    return vectors.mean(axis=0), mask


def padded(vectors: Array, length: int) -> tuple[Array, Array]:
    """Zeros behind the vectors, and where the vectors are."""
    mask = np.zeros(length, np.int64)
    mask[: len(vectors)] = 1
    return np.pad(vectors, ((0, length - len(vectors)), (0, 0))), mask


def attention_of(args: argparse.Namespace) -> str:
    """The name of the attention that a trainer was told to use."""
    return next((name for option, name in ATTENTION.items() if getattr(args, option)), "torch")


def need_attention(mode: str) -> None:
    """Upstream finds out at the first attention that a library is missing."""
    library = {"flash": "flash_attn", "flash3": "flash_attn_interface", "sageattn": "sageattention"}.get(mode, mode)
    if mode not in ("torch", "sdpa") and find_spec(library) is None:
        raise TypeError("'NoneType' object is not callable")


def load_dit(path: str, attention: str, split: bool, channels: int = 16) -> DualStreamDiT:
    """A toy DiT with 16 channels, or 32 for image-to-video."""
    print(f"Using {attention} attention mode, split_attn: {split}")
    weights = read_weights(path)
    check_shapes("HYVideoDiffusionTransformer", weights, dit_shapes(channels))
    return DualStreamDiT(weights, NAMES)


def check_blocks(count: int) -> tuple[int, int]:
    """Double and single blocks to swap; more than the real model can spare are refused."""
    double = count // 2
    single = (count - double) * 2 + 1
    most = tuple(blocks - 1 for blocks in REAL_BLOCKS)
    assert double <= most[0] and single <= most[1], (
        f"Cannot swap more than {most[0]} double blocks and {most[1]} single blocks."
        f" Requested {double} double blocks and {single} single blocks."
    )
    return double, single


def swap_blocks(count: int) -> None:
    """What the DiT's class says about swapped blocks."""
    double, single = check_blocks(count)
    print(
        f"HYVideoDiffusionTransformer: Block swap enabled. Swapping {count} blocks, double blocks: {double},"
        f" single blocks: {single}."
    )


def merge_loras(
    weights: dict[str, Array],
    modules: Sequence[str],
    paths: Sequence[str],
    multipliers: Sequence[float],
    double_only: bool = False,
) -> None:
    """Add LoRAs one after the other. One that fits no module is merged without a word, as upstream."""
    for index, path in enumerate(paths):
        multiplier = multipliers[index] if len(multipliers) > index else 1.0
        MAIN.info(f"Loading LoRA weights from {path} with multiplier {multiplier}")
        lora = load(path)
        if double_only:
            lora = {key: value for key, value in lora.items() if "single_blocks" not in key}
        LOG.info("create LoRA network from weights")
        LOG.info(f"create LoRA for U-Net/DiT: {count_modules(modules, lora)} modules.")
        MAIN.info("Merging LoRA weights to DiT model")
        merge_into(weights, lora, multiplier)
        LOG.info("weights are merged")
        MAIN.info("LoRA weights loaded")


def count_modules(modules: Sequence[str], lora: Mapping[str, Tensor]) -> int:
    """How many modules the LoRA has weights for."""
    names = {key.split(".")[0] for key in lora}
    return sum(f"lora_unet_{module.replace('.', '_')}" in names for module in modules)
