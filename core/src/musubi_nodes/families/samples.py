"""The prompt file that trainers read for samples on the way."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.family import Family
from musubi_nodes.families.settings import Sampling
from musubi_nodes.files import write_json
from musubi_nodes.media.frames import Frames, save_png


def write_prompts(sampling: Sampling, family: Family, image: Frames, needs_image: bool, folder: Path) -> Path:
    """The prompts as JSON: in a .txt file a prompt that begins with "I " is taken for an image path, and one with " --"
    for options (training/sampling_prompts.py, v0.3.4).
    """
    frames = sampling.sample_frames
    if frames > 1 and not family.frame_rule.fits(frames):
        raise MusubiError(
            f"sample_frames {frames} does not fit {family.title}: it takes {family.frame_rule.explain()}",
            fix=f"Use {family.frame_rule.round_down(frames) or 1}.",
        )
    if needs_image and image is None:
        raise MusubiError(
            "samples of this task begin with a picture, and sample_image is not connected",
            why="musubi-tuner would train on and make no samples.",
            fix="Connect an image to sample_image of the trainer, or empty sample_prompts.",
        )
    picture = {"image_path": str(save_png(image, folder / "sample_image.png"))} if needs_image else {}
    prompts = [
        {
            "prompt": line,
            "width": sampling.sample_width,
            "height": sampling.sample_height,
            "frame_count": frames,
            "sample_steps": sampling.sample_steps,
            "seed": sampling.sample_seed,
            **picture,
        }
        for line in sampling.prompt_lines()
    ]
    return write_json(folder / "prompts.json", prompts)
