"""The trainers' prompt file for samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.errors import MusubiError, one_line
from musubi_nodes.families.lengths import check_frames
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.settings import Sampling
from musubi_nodes.files import write_json
from musubi_nodes.media.frames import Frames, save_png

KEYS = {
    "prompt": "prompt",
    "width": "width",
    "height": "height",
    "frames": "frame_count",
    "steps": "sample_steps",
    "seed": "seed",
    "guidance_scale": "guidance_scale",
    "cfg_scale": "cfg_scale",
    "flow_shift": "discrete_flow_shift",
}
"""Field -> key in the file (training/sampling_prompts.py, v0.3.4)."""


def check_prompts(samples: Iterable[Prompt], rule: FrameRule, title: str) -> None:
    for prompt in samples:
        frames, name = prompt.frames or 1, repr(prompt.prompt[:60])
        check_frames(rule, frames, f"{frames} frames of the sample {name} do not fit {title}")
        if prompt.lora_multiplier is not None:
            raise MusubiError(
                "input-unexpected",
                f"the sample {name} sets lora_multiplier",
                fix="Samples use the trained LoRA as it is.",
            )


def write_prompts(
    sampling: Sampling,
    image: Frames,
    needs_image: bool,
    folder: Path,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Write the prompts as JSON.

    In a .txt file "I " begins an image path and " --" options (training/sampling_prompts.py, v0.3.4).
    """
    entries = []
    for number, prompt in enumerate(sampling.samples()):
        entry = {**defaults, **_entry(prompt)}
        picture = image if prompt.image is None else prompt.image
        if prompt.image is not None and not needs_image:
            raise MusubiError(
                "start-image-unexpected",
                f"the sample {prompt.prompt[:60]!r} has a picture, but this task begins with none",
                fix="Unplug image of the Prompt node.",
            )
        if needs_image:
            if picture is None:
                raise MusubiError(
                    "start-image-missing",
                    f"samples of this task begin with a picture, and the prompt {prompt.prompt[:60]!r} has none",
                    why="musubi-tuner would train on and make no samples.",
                    fix="Connect an image to the Prompt node or to sample_image of the trainer, or remove the prompts.",
                )
            entry["image_path"] = str(save_png(picture, folder / f"sample_image_{number}.png"))
        entries.append(entry)
    return write_json(folder / "prompts.json", entries)


def _entry(prompt: Prompt) -> dict[str, Any]:
    """Convert a prompt; v0.3.4 uses guidance with a negative prompt only."""
    values: Mapping[str, Any] = {key: getattr(prompt, name) for name, key in KEYS.items()}
    entry = {key: value for key, value in values.items() if value is not None}
    entry["prompt"] = one_line(prompt.prompt)
    if prompt.negative_prompt or prompt.cfg_scale is not None:
        entry["negative_prompt"] = one_line(prompt.negative_prompt)
    return entry
