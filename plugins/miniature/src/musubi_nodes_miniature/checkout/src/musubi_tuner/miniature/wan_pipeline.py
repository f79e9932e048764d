"""The parts of Wan that generation needs, loaded once each."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from .dit import ToyDiT
from .encoders import ToyVAE, ToyVision, normalized
from .families import Condition, Denoisers
from .lora import filtered, padded_multipliers
from .media import fit, read_video
from .output import MAIN
from .outputs import save_images, save_video
from .sampling import Plan, announce_switch, denoise
from .tensors import Array, load
from .wan_conditions import check_patches, image_channels, need_flash_attention, with_control
from .wan_encoders import ToyT5, load_clip, load_vae
from .wan_loading import PRECISIONS, Precision, dit_dtype, load_dit, swap_blocks
from .wan_models import NEGATIVE_PROMPT, TASKS, Task


@dataclass
class Pipeline:
    """The parts of Wan, each loaded when it is first needed, in upstream's order of lines."""

    args: argparse.Namespace
    vae: ToyVAE | None = None
    t5: ToyT5 | None = None
    clip: ToyVision | None = None
    dits: Denoisers | None = None
    kept: dict[str, argparse.Namespace] = field(default_factory=dict)
    """``--from_file``: the prompt of each text that was encoded last (``encoded_contexts`` upstream)."""

    def __post_init__(self) -> None:
        self.task: Task = TASKS[self.args.task]
        self.precision = Precision()
        self.i2v = "i2v" in self.args.task or "flf2v" in self.args.task

    def announce_precision(self) -> None:
        """The line about precisions, which is also where a missing DiT file is found."""
        args = self.args
        dtype = PRECISIONS.get(dit_dtype(args.dit) if args.dit is not None else "BF16", PRECISIONS["BF16"])[0]
        self.precision = Precision(dtype, args.fp8 or args.fp8_scaled, args.fp8_scaled)
        MAIN.info(
            f"Using device: {args.device}, DiT precision: {dtype}, weight precision: {self.precision.weights},"
            f" VAE precision: {dtype}"
        )

    def need_vae(self, again: bool = False) -> ToyVAE:
        """The VAE; upstream loads it once more for each output of a batch."""
        if self.vae is None or again:
            path = self.args.vae if self.args.vae is not None else str(Path(self.args.ckpt_dir, "Wan2.1_VAE.pth"))
            MAIN.info(f"Loading VAE model from {path}")
            self.vae = load_vae(path)
        return self.vae

    def need_t5(self) -> ToyT5:
        if self.t5 is None:
            self.t5 = ToyT5(self.args.t5)
        return self.t5

    def need_dits(self) -> Denoisers:
        """The DiTs with their LoRAs merged."""
        if self.dits is None:
            args = self.args
            low = self._load_dit(args.dit, args.lora_weight, args.lora_multiplier)
            high = None
            if args.dit_high_noise:
                MAIN.info(f"Loading high noise DiT model from {args.dit_high_noise}")
                high = self._load_dit(args.dit_high_noise, args.lora_weight_high_noise, args.lora_multiplier_high_noise)
            self.dits = Denoisers(low, high, args.timestep_boundary)
        return self.dits

    def _load_dit(self, path: str, loras: list[str] | None, multipliers: list[float] | None) -> ToyDiT:
        args, pairs = self.args, []
        for lora, multiplier in zip(loras or [], padded_multipliers(multipliers, len(loras or [])), strict=True):
            MAIN.info(f"Loading LoRA weight from: {lora}")
            # upstream hands over the whole list of patterns, so a pattern is a TypeError there too
            pairs.append((filtered(load(lora), args.include_patterns, args.exclude_patterns), multiplier))
        dit = load_dit(path, self.task, self.precision, pairs)
        if not args.save_merged_model and not args.fp8_scaled:
            MAIN.info(f"Convert model to {self.precision.weights}")
            if not args.blocks_to_swap:
                MAIN.info("Move model to device: cpu")
        if not args.save_merged_model and args.blocks_to_swap:
            MAIN.info(f"Enable swap {args.blocks_to_swap} blocks to CPU from device: cpu")
            swap_blocks(self.task, args.blocks_to_swap, learning=False)
        return dit

    def encode(self, args: argparse.Namespace) -> tuple[Condition, Condition, tuple[int, int]]:
        """Positive and negative condition, and height and width, which follow the image where there is one."""
        height, width = args.video_size
        channels = image = None
        texts = self.need_t5()
        positive = texts.encode(args.prompt)
        negative = texts.encode(self.kept.get(args.prompt, args).negative_prompt or NEGATIVE_PROMPT)
        if self.i2v:
            channels, image, (height, width) = self._encode_image(args, height * width)
        if self.task.control:
            MAIN.info("Encoding control video to latent space")
            channels = with_control(self._encode_control(args, height, width), channels)
        return Condition(positive, channels, image), Condition(negative, channels, image), (height, width)

    def _encode_image(self, args: argparse.Namespace, area: int) -> tuple[Array, Array | None, tuple[int, int]]:
        vae = self.need_vae()
        picture = Image.open(args.image_path).convert("RGB")
        ratio = picture.height / picture.width
        height, width = (int(np.sqrt(area * side) // 16 * 16) for side in (ratio, 1 / ratio))
        image = None
        if not self.task.v2_2:
            self.clip = self.clip or load_clip(args.clip)
            MAIN.info("Encoding image to CLIP context")
            kept = self.kept.get(args.prompt, args)
            image = self.clip.encode(np.asarray(Image.open(kept.image_path).convert("RGB")))
            MAIN.info("Encoding complete")
        MAIN.info("Encoding image to latent space")
        pixels = np.zeros((args.video_length, height, width, 3), np.float32)
        pixels[0] = normalized(fit(picture, (width, height)))
        end = None
        if args.end_image_path is not None:
            end = normalized(fit(Image.open(args.end_image_path).convert("RGB"), (width, height)))
        channels = image_channels(vae, pixels, end)
        MAIN.info("Encoding complete")
        return channels, image, (height, width)

    def _encode_control(self, args: argparse.Namespace, height: int, width: int) -> Array:
        MAIN.info(f"Load control video from {args.control_path}")
        frames = read_video(args.control_path, args.video_length, size=(width, height))
        if len(frames) < args.video_length:
            raise ValueError(f"Video length is less than {args.video_length}")
        return self.need_vae().encode(normalized(np.stack(frames)))

    def generate(self, args: argparse.Namespace) -> Array:
        """The latent of one prompt."""
        args.seed = args.seed if args.seed is not None else random.randint(0, 2**32 - 1)
        args.video_length = (args.video_length - 1) // 4 * 4 + 1
        if self.i2v or self.task.control:
            self.need_vae()
        positive, negative, (height, width) = self.encode(args)
        dits = self.need_dits()
        high = args.timestep_boundary is not None
        guidance = (args.guidance_scale, args.guidance_scale_high_noise)
        MAIN.info(
            f"Starting sampling (high noise: {high}). Models: {2 if dits.high else 1}, timestep boundary:"
            f" {args.timestep_boundary}, flow shift: {args.flow_shift}, guidance scale: {guidance[1 if high else 0]}"
        )
        if args.attn_mode in ("flash", "flash2"):
            need_flash_attention()
        check_patches(height, width)
        shape = (16, (args.video_length - 1) // 4 + 1, height // 8, width // 8)
        plan = Plan(args.infer_steps, args.flow_shift, guidance, args.seed)
        return denoise(dits, shape, positive, negative, plan, on_switch=announce_switch(guidance[0]))

    def decode(self, latent: Array, args: argparse.Namespace, again: bool = False) -> Array:
        """The frames of a latent."""
        vae = self.need_vae(again)
        MAIN.info(f"Decoding video from latents: torch.Size({[1, *latent.shape]})")
        frames = vae.decode(latent)
        if args.trim_tail_frames:
            frames = frames[: -args.trim_tail_frames]
        MAIN.info("Decoding complete")
        return frames

    def write(self, latent: Array, args: argparse.Namespace, suffix: str, again: bool = False) -> None:
        """Decode and save what ``--output_type`` asks for besides the latent."""
        if args.output_type in ("video", "both"):
            save_video(self.decode(latent, args, again), args, suffix)
        elif args.output_type == "images":
            save_images(self.decode(latent, args, again), args, suffix)
