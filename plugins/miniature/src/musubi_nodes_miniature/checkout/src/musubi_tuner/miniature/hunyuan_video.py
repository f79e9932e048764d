"""HunyuanVideo: how its scripts load, encode and condition (cache_latents.py, hv_train_network.py of v0.3.4)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from .dataset import Item
from .encoders import normalized
from .families import Batch, Condition, Denoisers, Family, LatentEncoder, SampleMaker, TextEncoder
from .hunyuan_conditions import IMAGE_CHANNELS, check_patches, first_frame
from .hunyuan_loading import (
    SCALING_FACTOR,
    attention_of,
    load_dit,
    load_vae,
    need_attention,
    swap_blocks,
)
from .hunyuan_loading import (
    TextEncoder as Encoder,
)
from .hunyuan_samples import HunyuanSampling
from .optimizer import tell_swap
from .output import MAIN
from .prompts import Prompt
from .tensors import Array, Tensor

VAE_CONFIG = (
    "[('in_channels', 3), ('out_channels', 3), ('block_out_channels', [128, 256, 512, 512]), ('layers_per_block', 2),"
    " ('act_fn', 'silu'), ('latent_channels', 16), ('norm_num_groups', 32), ('sample_size', 256),"
    " ('sample_tsize', 64), ('scaling_factor', 0.476986)]"
)


class HunyuanVideo(Family):
    """HunyuanVideo, text to video, and image to video with 32 channels."""

    short, full = "hv", "hunyuan_video"
    model_spec, implementation = "hunyuan-video", "https://github.com/Tencent/HunyuanVideo"
    frames_per_second = 24.0
    latent_log = text_log = "__main__"
    network_modules = ("networks.lora", "musubi_tuner.networks.lora")
    checkpointing_line = (
        "HYVideoDiffusionTransformer: Gradient checkpointing enabled. Activation CPU offloading: {offload}"
    )
    latent_scale = SCALING_FACTOR
    guidance = 6.0

    def check_caching(self, args: argparse.Namespace) -> None:
        """Upstream takes ``--disable_cudnn_backend`` here and does nothing with it."""

    def latent_encoder(self, args: argparse.Namespace) -> LatentEncoder:
        assert args.vae is not None, "vae checkpoint is required"
        vae = load_vae(args.vae, args.vae_dtype)
        MAIN.info(f"Loaded VAE: FrozenDict({VAE_CONFIG}), dtype: torch.{args.vae_dtype or 'float16'}")
        if args.vae_chunk_size is not None:
            MAIN.info(f"Set chunk_size to {args.vae_chunk_size} for CausalConv3d in VAE")

        def encode(item: Item) -> list[dict[str, Tensor]]:
            item.need_pixels()
            latent = vae.encode(normalized(item.frames)) / np.float32(SCALING_FACTOR)
            _, frames, height, width = latent.shape
            return [{f"latents_{frames}x{height}x{width}_float16": Tensor(latent, "F16")}]

        return encode

    def text_encoders(self, args: argparse.Namespace) -> Iterator[TextEncoder]:
        for number, path, kind in ((1, args.text_encoder1, "llm"), (2, args.text_encoder2, "clipL")):
            MAIN.info(f"loading text encoder {number}: {path}")
            encoder = Encoder(path, kind, args.fp8_llm and kind == "llm", args.text_encoder_dtype)
            MAIN.info(f"Encoding with Text Encoder {number}")
            yield _tensors_of(encoder)

    def check_training(self, args: argparse.Namespace) -> None:
        if args.dit_in_channels == IMAGE_CHANNELS:
            MAIN.info("I2V training mode")

    def load_denoisers(self, args: argparse.Namespace) -> Denoisers:
        dit = load_dit(args.dit, attention_of(args), args.split_attn, args.dit_in_channels)
        if args.img_in_txt_in_offloading:
            MAIN.info("Enable offloading img_in and txt_in to CPU")
        if args.blocks_to_swap:
            tell_swap(args)
            swap_blocks(args.blocks_to_swap)
        return Denoisers(dit)

    def conditions(self, args: argparse.Namespace, batch: Batch) -> list[Condition]:
        latents = batch["latents"]
        channels: list[Array | None] = [None] * len(latents)
        if args.dit_in_channels == IMAGE_CHANNELS:
            channels = [first_frame(latent) for latent in latents]
        texts, masks, pooled = batch["llm"], batch["llm_mask"], batch["clipL"]
        for latent in latents:
            check_patches(latent.shape[1:])
        need_attention(attention_of(args))
        return [
            Condition(text[mask != 0].astype(np.float32), further, pooled=vector, guidance=args.guidance_scale)
            for text, mask, vector, further in zip(texts, masks, pooled, channels, strict=True)
        ]

    def sample_needs(self, args: argparse.Namespace) -> dict[str, str]:
        if args.dit_in_channels != IMAGE_CHANNELS:
            return {}
        return {"image_path": "No image_path for i2v model / i2vモデルのサンプル画像生成にはimage_pathが必要です"}

    def sample_maker(self, args: argparse.Namespace, prompts: list[Prompt]) -> SampleMaker:
        return HunyuanSampling(args, prompts).make


def _tensors_of(encoder: Encoder) -> TextEncoder:
    def encode(caption: str) -> dict[str, Tensor]:
        values, mask = encoder.encode(caption)
        return {f"{encoder.kind}_float16": Tensor(values, "F16"), f"{encoder.kind}_mask": Tensor(mask, "I64")}

    return encode


FAMILY = HunyuanVideo()
