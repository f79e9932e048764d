"""FramePack: how its scripts load, encode and condition (fpack_*.py of v0.3.4)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from .dataset import Item
from .families import Batch, Condition, Denoisers, Family, LatentEncoder, SampleMaker, TextEncoder
from .framepack_caches import one_frame_tensors, section_paths, section_tensors
from .framepack_loading import LLM_LENGTH, TextEncoders, load_dit, load_image_encoder, load_vae, swap_blocks
from .framepack_samples import FramePackSampling, check_patches
from .hunyuan_loading import attention_of, need_attention, padded
from .optimizer import tell_swap
from .output import MAIN
from .prompts import Prompt
from .tensors import Array, Tensor

NO_LIBRARIES = ("Xformers is not installed!", "Flash Attn is not installed!", "Sage Attn is not installed!")


class FramePack(Family):
    """FramePack and FramePack F1, image to video, and one-frame images."""

    short, full = "fp", "framepack"
    model_spec, implementation = "framepack", "https://github.com/lllyasviel/FramePack"
    frames_per_second = 30.0
    window_in_bucket = True
    network_modules = ("networks.lora_framepack", "musubi_tuner.networks.lora_framepack")
    checkpointing_line = (
        "Gradient checkpointing enabled for HunyuanVideoTransformer3DModelPacked. Activation CPU offloading: {offload}"
    )
    import_lines = (*NO_LIBRARIES, *Family.import_lines)
    latent_log = "__main__"
    guidance = 10.0

    def check_caching(self, args: argparse.Namespace) -> None:
        super().check_caching(args)
        if args.vae_dtype is not None:
            raise ValueError("VAE dtype is not supported in FramePack")

    def cache_paths(self, item: Item) -> list[str]:
        return section_paths(item)

    def latent_encoder(self, args: argparse.Namespace) -> LatentEncoder:
        assert args.vae is not None, "vae checkpoint is required"
        MAIN.info(f"Loading VAE model from {args.vae}")
        vae = load_vae(args)
        MAIN.info(f"Loading image encoder from {args.image_encoder}")
        vision = load_image_encoder(args.image_encoder)
        MAIN.info(f"Cache generation mode: {'Vanilla Sampling' if args.f1 else 'Inference Emulation'}")
        if args.one_frame:
            return lambda item: one_frame_tensors(item, vae, vision, args)
        return lambda item: section_tensors(item, vae, vision, args.f1)

    def text_encoders(self, args: argparse.Namespace) -> Iterator[TextEncoder]:
        encoders = TextEncoders(args)
        MAIN.info("Encoding with Text Encoders")

        def encode(caption: str) -> dict[str, Tensor]:
            words, vector = encoders.encode(caption)
            values, mask = padded(words, LLM_LENGTH)
            return {
                "llama_vec_float16": Tensor(values, "F16"),
                "llama_attention_mask": Tensor(mask.astype(bool), "BOOL"),
                "clip_l_pooler_float16": Tensor(vector, "F16"),
            }

        yield encode

    def check_training(self, args: argparse.Namespace) -> None:
        assert args.vae_dtype is None or args.vae_dtype == "float16", (
            "VAE dtype must be float16 / VAEのdtypeはfloat16でなければなりません"
        )

    def load_denoisers(self, args: argparse.Namespace) -> Denoisers:
        MAIN.info(f"Loading DiT model from {args.dit}")
        dit = load_dit(args.dit, args.fp8_scaled)
        if args.blocks_to_swap:
            tell_swap(args)
            swap_blocks(args.blocks_to_swap, learning=True)
        return Denoisers(dit)

    def conditions(self, args: argparse.Namespace, batch: Batch) -> list[Condition]:
        latents, found = batch["latents"], []
        need_attention(attention_of(args))
        if len(latents) > 1 and not args.split_attn:
            raise NotImplementedError(
                "No Attn Installed or batch_size > 1 is not supported in this configuration. Try `--split_attn`."
            )
        for index, latent in enumerate(latents):
            check_patches(latent.shape[2], latent.shape[3])
            words = batch["llama_vec"][index][batch["llama_attention_mask"][index]]
            history = (batch["latents_clean"][index], *(_level(batch, level, index) for level in ("2x", "4x")))
            found.append(
                Condition(
                    words.astype(np.float32),
                    image=batch["image_embeddings"][index].astype(np.float32),
                    pooled=batch["clip_l_pooler"][index].astype(np.float32),
                    guidance=args.guidance_scale,
                    history=history,
                )
            )
        return found

    def sample_needs(self, args: argparse.Namespace) -> dict[str, str]:
        return {"image_path": "No image_path for i2v model / i2vモデルのサンプル画像生成にはimage_pathが必要です"}

    def sample_maker(self, args: argparse.Namespace, prompts: list[Prompt]) -> SampleMaker:
        return FramePackSampling(args, prompts).make


def _level(batch: Batch, level: str, index: int) -> Array | None:
    """Clean latents of a size: without indices there are none, without values they are zeros."""
    if f"clean_latent_{level}_indices" not in batch:
        return None
    if f"latents_clean_{level}" in batch:
        return batch[f"latents_clean_{level}"][index]
    latent = batch["latents"][index]
    return np.zeros((16, {"2x": 2, "4x": 16}[level], *latent.shape[2:]), np.float32)


FAMILY = FramePack()
