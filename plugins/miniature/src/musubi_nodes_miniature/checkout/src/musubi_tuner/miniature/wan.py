"""Wan 2.1 and 2.2: how its scripts load, encode and condition (wan_*.py of v0.3.4)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .families import Batch, Condition, Denoisers, Family, LatentEncoder, SampleMaker, TextEncoder
from .optimizer import tell_swap
from .output import MAIN
from .prompts import Prompt
from .tensors import Array, Tensor
from .wan_caches import latent_tensors, one_frame_tensors
from .wan_conditions import check_patches, need_flash_attention, with_control
from .wan_encoders import ToyT5, load_clip, load_vae
from .wan_loading import PRECISIONS, Precision, dit_dtype, load_dit, swap_blocks
from .wan_models import TASKS
from .wan_samples import WanSampling


class Wan(Family):
    """Wan 2.1 and 2.2, text, image and control to video."""

    short, full = "wan", "wan"
    model_spec, implementation = "wan2.1", "https://github.com/Wan-Video/Wan2.1"
    frames_per_second = 16.0
    window_in_bucket = True
    network_modules = ("networks.lora_wan", "musubi_tuner.networks.lora_wan")
    checkpointing_line = "WanModel: Gradient checkpointing enabled. Activation CPU offloading: {offload}"

    def latent_encoder(self, args: argparse.Namespace) -> LatentEncoder:
        i2v = args.i2v or args.clip is not None
        assert args.vae is not None, "vae checkpoint is required"
        MAIN.info(f"Loading VAE model from {args.vae}")
        vae = load_vae(args.vae)
        clip = load_clip(args.clip) if args.clip is not None else None
        if args.one_frame:
            assert clip is not None, "clip is required for one frame training"
            return lambda item: [one_frame_tensors(item, vae, clip)]
        return lambda item: [latent_tensors(item, vae, clip, i2v)]

    def text_encoders(self, args: argparse.Namespace) -> Iterator[TextEncoder]:
        MAIN.info(f"Loading T5: {args.t5}")
        t5 = ToyT5(args.t5)
        MAIN.info("Encoding with T5")
        yield lambda caption: {"varlen_t5_bfloat16": Tensor(t5.encode(caption), "BF16")}

    def check_training(self, args: argparse.Namespace) -> None:
        task = TASKS[args.task]
        dtype = dit_dtype(args.dit)
        precision = PRECISIONS.get(dtype, ("", "bf16"))[1]
        if precision != "no":
            assert args.mixed_precision in (precision, "no"), (
                f"DiT weights are in {precision}, mixed precision must be {precision} or no"
            )
        if args.dit_high_noise is not None and args.blocks_to_swap:
            assert not args.offload_inactive_dit, (
                "Block swap is not supported with offloading inactive DiT /"
                " 非アクティブDiTをオフロードする設定ではブロックスワップはサポートされていません"
            )
        boundary = args.timestep_boundary if args.timestep_boundary is not None else task.boundary
        if boundary is None and args.dit_high_noise is not None:
            raise ValueError(
                "timestep_boundary is not specified for high noise model"
                " / high noiseモデルを使用する場合は、timestep_boundaryを指定する必要があります。"
            )
        if boundary is not None:
            boundary = boundary / 1000.0 if boundary > 1 else boundary
            MAIN.info(f"Converted timestep_boundary to 0 to 1 range: {boundary}")
        args.boundary = boundary

    def load_denoisers(self, args: argparse.Namespace) -> Denoisers:
        task = TASKS[args.task]
        precision = Precision(fp8=args.fp8_base, fp8_scaled=args.fp8_scaled)
        found = Denoisers(load_dit(args.dit, task, precision))
        if args.dit_high_noise is not None:
            MAIN.info(f"Loading high noise model from {args.dit_high_noise}")
            high = load_dit(args.dit_high_noise, task, precision)
            found = Denoisers(found.low, high, args.boundary)
        if args.blocks_to_swap:
            tell_swap(args)
            swap_blocks(task, args.blocks_to_swap, learning=True)
        return found

    def conditions(self, args: argparse.Namespace, batch: Batch) -> list[Condition]:
        task = TASKS[args.task]
        i2v = "i2v" in args.task or "flf2v" in args.task
        if args.flash_attn and not args.sdpa:
            need_flash_attention()
        for latent in batch["latents"]:
            check_patches(latent.shape[2] * 8, latent.shape[3] * 8)
        channels: list[Array | None] = [None] * len(batch["latents"])
        images: list[Array | None] = [None] * len(channels)
        if i2v:
            channels = list(batch["latents_image"])
            if not task.v2_2:
                images = [clip.reshape(-1, clip.shape[-1]) for clip in batch["clip"]]
        if task.control:
            channels = [with_control(*pair) for pair in zip(batch["latents_control"], channels, strict=True)]
        return [Condition(*values) for values in zip(batch["t5"], channels, images, strict=True)]

    def sample_needs(self, args: argparse.Namespace) -> dict[str, str]:
        needs = {}
        if "i2v" in args.task or "flf2v" in args.task:
            needs["image_path"] = "No image_path for i2v model / i2vモデルのサンプル画像生成にはimage_pathが必要です"
        if TASKS[args.task].control:
            needs["control_video_path"] = (
                "No control_video_path for control model /"
                " controlモデルのサンプル画像生成にはcontrol_video_pathが必要です"
            )
        return needs

    def sample_maker(self, args: argparse.Namespace, prompts: list[Prompt]) -> SampleMaker:
        return WanSampling(args, prompts).make


FAMILY = Wan()
