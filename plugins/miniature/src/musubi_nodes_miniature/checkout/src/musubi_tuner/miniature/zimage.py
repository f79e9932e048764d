"""Z-Image: how its scripts load, encode and condition (zimage_*.py of v0.3.4)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator

import numpy as np

from .dataset import Item
from .encoders import ToyVAE, fingerprint, normalized, word_vectors
from .errors import refuse_weights
from .families import Batch, Condition, Denoisers, Family, LatentEncoder, SampleMaker, SampleSize, TextEncoder
from .loading import Pair, check_shapes, load_merged, tell_scaled
from .optimizer import tell_swap
from .output import MAIN
from .prompts import Prompt
from .sampling import Plan, denoise
from .tensors import Array, Tensor
from .zimage_dit import ZImageDiT
from .zimage_models import DIT_SHAPES, REAL_BLOCKS, TEXT_WIDTH

MODEL = logging.getLogger("musubi_tuner.zimage.zimage_model")
UTILS = logging.getLogger("musubi_tuner.zimage.zimage_utils")
VAE = logging.getLogger("musubi_tuner.zimage.zimage_autoencoder")
TEXT_LENGTH = 512
GUIDANCE = 4.0
"""Of samples whose prompt says nothing about it."""


def load_vae(path: str) -> ToyVAE:
    VAE.info(f"Loading VAE from {path}")
    seed = fingerprint(path, "decoder.conv_in.weight")
    if seed is None:
        refuse_weights("AutoencoderKL", ['Missing key(s) in state_dict: "decoder.conv_in.weight". '])
    VAE.info("Loaded VAE: <All keys matched successfully>")
    return ToyVAE(seed)


class Qwen3:
    """The text encoder."""

    def __init__(self, path: str) -> None:
        UTILS.info(f"Loading state dict from {path}")
        if fingerprint(path, "model.embed_tokens.weight") is None:
            raise KeyError("model.embed_tokens.weight")
        UTILS.info("Loaded Qwen3: <All keys matched successfully>")
        UTILS.info("Loading tokenizer from Tongyi-MAI/Z-Image")

    def encode(self, text: str) -> Array:
        """(tokens, 2560)."""
        return word_vectors(text, TEXT_LENGTH, "<|im_end|>", TEXT_WIDTH)


def load_dit(path: str, scaled: bool, loras: Iterable[Pair] = ()) -> ZImageDiT:
    """A toy DiT with LoRAs merged into it; upstream's bar, lines and refusals."""
    MODEL.info("Creating ZImageTransformer2DModel")
    MODEL.info(f"Loading DiT model from {path}, device=cpu")
    weights = load_merged(path, scaled, loras)
    check_shapes("ZImageTransformer2DModel", weights, DIT_SHAPES)
    dit = ZImageDiT(weights)
    if scaled:
        tell_scaled(dit)
    MODEL.info(f"Loaded DiT model from {path}, info=<All keys matched successfully>")
    return dit


def swap_blocks(count: int, learning: bool) -> None:
    """Refuse to swap more blocks than the real model can spare."""
    most = REAL_BLOCKS - 2
    assert count <= most, f"Cannot swap more than {most} double blocks. Requested {count} double blocks."
    print(
        f"Z-Image: Block swap enabled. Swapping {count} of {REAL_BLOCKS} blocks to device cpu."
        f" Supports backward: {learning}"
    )


def paint(denoisers: Denoisers, texts: tuple[Array, Array], plan: Plan, size: tuple[int, int], bar: str) -> Array:
    """The latent of one picture; ``texts`` are the prompt's and the negative prompt's, ``size`` height and width."""
    positive, negative = map(Condition, texts)
    return denoise(denoisers, (16, 1, size[0] // 16 * 2, size[1] // 16 * 2), positive, negative, plan, bar)


def plan_of(steps: int, shift: float, guidance: float, seed: int) -> Plan:
    """Upstream adds the difference to the prompt's prediction, which counts one more than elsewhere."""
    scale = guidance + 1 if guidance > 1 else 1.0
    return Plan(steps, shift, (scale, scale), seed, top=1.0)


class ZImage(Family):
    """Z-Image, text to picture."""

    short, full = "zi", "z_image"
    model_spec, implementation = "Z-Image", "https://github.com/Tongyi-MAI/Z-Image"
    frames_per_second = 16.0
    network_modules = ("networks.lora_zimage", "musubi_tuner.networks.lora_zimage")
    checkpointing_line = "Z-Image: Gradient checkpointing enabled. CPU offload: {offload}"
    guidance = 0.0

    def latent_encoder(self, args: argparse.Namespace) -> LatentEncoder:
        if args.vae_dtype is not None:
            MAIN.warning("VAE dtype is specified but Z-Image VAE always uses float32 for better precision.")
        assert args.vae is not None, "VAE checkpoint is required (--vae)"
        MAIN.info(f"Loading Z-Image VAE from {args.vae}")
        vae = load_vae(args.vae)
        MAIN.info("Loaded Z-Image VAE, dtype: torch.float32")

        def encode(item: Item) -> list[dict[str, Tensor]]:
            item.need_pixels()
            latent = vae.encode(normalized(item.frames))[:, 0]
            return [{f"latents_1x{latent.shape[1]}x{latent.shape[2]}_float32": Tensor(np.ascontiguousarray(latent))}]

        return encode

    def text_encoders(self, args: argparse.Namespace) -> Iterator[TextEncoder]:
        MAIN.info(f"Using {'fp8' if args.fp8_llm else 'bfloat16'} for Qwen3 text encoder")
        MAIN.info(f"Loading Qwen3 text encoder from {args.text_encoder}")
        qwen3 = Qwen3(args.text_encoder)
        MAIN.info("Encoding prompts with Qwen3 text encoder")
        yield lambda caption: {"varlen_llm_embed_bfloat16": Tensor(qwen3.encode(caption), "BF16")}

    def check_training(self, args: argparse.Namespace) -> None:
        if args.vae_dtype is not None:
            MAIN.warning("vae_dtype is not used in Z-Image architecture (always float32)")

    def load_denoisers(self, args: argparse.Namespace) -> Denoisers:
        dit = load_dit(args.dit, args.fp8_scaled)
        if args.blocks_to_swap:
            tell_swap(args)
            swap_blocks(args.blocks_to_swap, learning=True)
        return Denoisers(dit)

    def conditions(self, args: argparse.Namespace, batch: Batch) -> list[Condition]:
        return [Condition(text.astype(np.float32)) for text in batch["llm_embed"]]

    def sample_needs(self, args: argparse.Namespace) -> dict[str, str]:
        return {}

    def sample_maker(self, args: argparse.Namespace, prompts: list[Prompt]) -> SampleMaker:
        MAIN.info(f"cache Text Encoder outputs for sample prompt: {args.sample_prompts}")
        qwen3, texts = Qwen3(args.text_encoder), {}
        MAIN.info("Encoding with Qwen3 text encoder")
        for prompt in prompts:
            for text in (prompt.get("prompt", ""), prompt.setdefault("negative_prompt", "")):
                if text not in texts:
                    MAIN.info(f"cache Text Encoder outputs for prompt: {text}")
                    texts[text] = qwen3.encode(text)
        MAIN.info(f"Loading VAE model from {args.vae}")
        vae = load_vae(args.vae)

        def make(prompt: Prompt, size: SampleSize, seed: int, denoisers: Denoisers) -> Array:
            guidance = prompt.get("cfg_scale") or GUIDANCE
            steps, shift = prompt.get("sample_steps", 20), prompt.get("discrete_flow_shift", 3.0)
            pair = (texts[prompt.get("prompt", "")], texts[prompt["negative_prompt"]])
            plan = plan_of(steps, shift, guidance, seed)
            latent = paint(denoisers, pair, plan, (size.height, size.width), "Sampling")
            MAIN.info(f"Decoding image from latents: torch.Size([1, 16, {latent.shape[2]}, {latent.shape[3]}])")
            return vae.decode(latent)

        return make


FAMILY = ZImage()
