"""Loading FramePack's toy encoders and DiT with upstream's lines and refusals."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator

from .convert import to_default
from .encoders import ToyVAE, ToyVision, fingerprint, word_vectors
from .errors import refuse_weights
from .framepack_dit import FramePackDiT
from .framepack_models import VISION_SIDE, VISION_WIDTH, dit_shapes
from .hunyuan_loading import check_blocks, check_text_encoder, pooled
from .hunyuan_loading import load_vae as load_hunyuan_vae
from .loading import Pair, check_shapes, load_merged, tell_scaled
from .lora import filtered
from .output import MAIN
from .tensors import Array, Tensor, load

UTILS = logging.getLogger("musubi_tuner.frame_pack.framepack_utils")
MODEL = logging.getLogger("musubi_tuner.frame_pack.hunyuan_video_packed")

LLM_LENGTH = 512


def load_vae(args: argparse.Namespace) -> ToyVAE:
    """HunyuanVideo's VAE with FramePack's options."""
    vae = load_hunyuan_vae(args.vae)
    if args.vae_chunk_size is not None:
        UTILS.info(f"Set chunk_size to {args.vae_chunk_size} for CausalConv3d")
    if args.vae_spatial_tile_sample_min_size is not None:
        UTILS.info(f"Enabled spatial tiling with min size {args.vae_spatial_tile_sample_min_size}")
    return vae


class TextEncoders:
    """Both text encoders: the words without padding, and one vector for all of them."""

    def __init__(self, args: argparse.Namespace) -> None:
        for number, path, kind in ((1, args.text_encoder1, "llm"), (2, args.text_encoder2, "clipL")):
            UTILS.info(f"Loading text encoder {number} tokenizer")
            UTILS.info(f"Loading text encoder {number} from {path}")
            check_text_encoder(path, kind)
            if kind == "llm" and args.fp8_llm:
                UTILS.info("Moving and casting text encoder to cpu and torch.float8_e4m3fn")

    def encode(self, caption: str) -> tuple[Array, Array]:
        """(tokens, 4096) and (768)."""
        return word_vectors(caption, LLM_LENGTH, "<|eot_id|>"), pooled(caption)[0]


def load_image_encoder(path: str) -> ToyVision:
    """SigLIP: (729, 1152) per picture."""
    UTILS.info("Loading image encoder feature extractor")
    UTILS.info(f"Loading image encoder from {path}")
    if fingerprint(path, "vision_model.embeddings.patch_embedding.weight") is None:
        missing = 'Missing key(s) in state_dict: "vision_model.embeddings.patch_embedding.weight". '
        refuse_weights("SiglipVisionModel", [missing])
    return ToyVision(VISION_SIDE, VISION_WIDTH)


def load_dit(path: str, scaled: bool, loras: Iterable[Pair] = ()) -> FramePackDiT:
    """A toy DiT with LoRAs merged into it."""
    MODEL.info("Creating HunyuanVideoTransformer3DModelPacked")
    MODEL.info(f"Loading DiT model from {path}, device=cpu")
    weights = load_merged(path, scaled, loras)
    check_shapes("HunyuanVideoTransformer3DModelPacked", weights, dit_shapes())
    dit = FramePackDiT(weights)
    if scaled:
        tell_scaled(dit)
    MODEL.info(f"Loaded DiT model from {path}, info=<All keys matched successfully>")
    return dit


def swap_blocks(count: int, learning: bool) -> None:
    """Refuse to swap more blocks than the real model can spare."""
    double, single = check_blocks(count)
    print(
        f"HunyuanVideoTransformer3DModelPacked: Block swap enabled. Swapping {count} blocks, double blocks: {double},"
        f" single blocks: {single}, supports_backward: {learning}."
    )


def read_loras(args: argparse.Namespace) -> Iterator[Pair]:
    """The LoRAs of generation with their multipliers; those of other programs are converted."""
    found = []
    for path in args.lora_weight or []:
        MAIN.info(f"Loading LoRA weight from: {path}")
        found.append(filtered(_converted(load(path)), args.include_patterns, args.exclude_patterns))
    return _paired(found, args.lora_multiplier)


def _paired(loras: list[dict[str, Tensor]], multipliers: list[float]) -> Iterator[Pair]:
    """Not before the file is opened does upstream ask a missing ``--lora_multiplier`` for its length."""
    if loras:
        missing = len(loras) - len(multipliers)
        yield from zip(loras, [*multipliers, *([1.0] * missing)], strict=False)


def _converted(lora: dict[str, Tensor]) -> dict[str, Tensor]:
    first = next(iter(lora))
    if not first.startswith("lora_unet_"):
        if first.split(".")[0] in ("diffusion_model", "transformer") and any("lora_A" in key for key in lora):
            logging.info("Diffusion-pipe (?) LoRA detected, converting to the default LoRA format")
            lora = to_default(lora)
        else:
            logging.info("LoRA file format not recognized. Using it as-is.")
    for key, tensor in lora.items():
        if "double_blocks" in key or "single_blocks" in key:
            logging.info("HunyuanVideo LoRA detected, converting to FramePack format")
            raise AssertionError(f"QKV weight size mismatch: {key}. torch.Size({tensor.shape})")
    return lora
