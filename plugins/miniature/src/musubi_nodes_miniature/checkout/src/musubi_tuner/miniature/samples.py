"""Samples while training: when, and under which names."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from .dataset import frames_of
from .families import Denoisers, Family, SampleSize
from .media import write_image, write_video
from .optimizer import LOG
from .output import MAIN
from .prompts import Prompt, load_sample_prompts

SAMPLE_FPS = 24
"""Upstream saves training samples at this rate, whatever the family."""


def wants_samples(args: argparse.Namespace, step: int, epoch: int | None) -> bool:
    """Whether a step, or the end of an epoch, is due for samples."""
    if step == 0:
        return bool(args.sample_at_first)
    by_steps = args.sample_every_n_steps is not None and step % args.sample_every_n_steps == 0
    by_epochs = args.sample_every_n_epochs is not None and epoch is not None
    return by_steps or (by_epochs and epoch is not None and epoch % args.sample_every_n_epochs == 0)


class Sampler:
    """The prompts of ``--sample_prompts``, made ready once."""

    def __init__(self, args: argparse.Namespace, family: Family, name: str | None) -> None:
        self.args, self.family, self.name = args, family, name
        MAIN.info(f"cache Text Encoder outputs for sample prompt: {args.sample_prompts}")
        self.prompts = load_sample_prompts(args.sample_prompts)
        self.make_frames = family.sample_maker(args, self.prompts)

    def make(self, denoisers: Denoisers, epoch: int | None, step: int) -> None:
        """One file per prompt below ``OUTPUT_DIR/sample``; no line names it, as upstream."""
        folder = Path(self.args.output_dir, "sample")
        folder.mkdir(parents=True, exist_ok=True)
        for prompt in self.prompts:
            self._make_one(prompt, denoisers, folder, f"e{epoch:06d}" if epoch is not None else f"{step:06d}")

    def _make_one(self, prompt: Prompt, denoisers: Denoisers, folder: Path, number: str) -> None:
        needed = self.family.sample_needs(self.args)
        for key, message in needed.items():
            if prompt.get(key) is None:
                LOG.error(message)
                return
        size = SampleSize(
            prompt.get("width", 256) // 8 * 8,
            prompt.get("height", 256) // 8 * 8,
            frames_of(prompt.get("frame_count", 1)),
        )
        seed = prompt.get("seed")
        self._describe(prompt, size, list(needed))
        frames = self.make_frames(prompt, size, random.getrandbits(32) if seed is None else seed, denoisers)
        if frames is None:
            LOG.error("No video generated / 生成された動画がありません")
            return
        stem = f"{'' if self.name is None else self.name + '_'}{number}_{prompt['enum']:02d}_"
        stem += time.strftime("%Y%m%d%H%M%S") + ("" if seed is None else f"_{seed}")
        if len(frames) == 1:
            write_image(folder / f"{stem}_000.png", frames[0])
        else:
            write_video(folder / f"{stem}.mp4", frames, SAMPLE_FPS)

    def _describe(self, prompt: Prompt, size: SampleSize, paths: list[str]) -> None:
        LOG.info(f"prompt: {prompt.get('prompt', '')}")
        LOG.info(f"height: {size.height}")
        LOG.info(f"width: {size.width}")
        LOG.info(f"frame count: {size.frames}")
        LOG.info(f"sample steps: {prompt.get('sample_steps', 20)}")
        LOG.info(f"guidance scale: {prompt.get('guidance_scale', self.family.guidance)}")
        LOG.info(f"discrete flow shift: {prompt.get('discrete_flow_shift', 14.5)}")
        if prompt.get("seed") is not None:
            LOG.info(f"seed: {prompt['seed']}")
        if prompt.get("negative_prompt") is not None:
            LOG.info(f"negative prompt: {prompt['negative_prompt']}")
            LOG.info(f"cfg scale: {prompt.get('cfg_scale')}")
        for key in paths:
            LOG.info(f"{key.replace('_', ' ')}: {prompt[key]}")
