"""The trainers' prompt file for samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.commands.option import marker
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.errors import MusubiError, one_line
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import SamplePicture
from musubi_nodes.families.lengths import check_frames
from musubi_nodes.families.picture_count import NO_PICTURES, PictureCount, check_pictures
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.settings import Sampling
from musubi_nodes.files import write_json
from musubi_nodes.media.frames import Frames, save_pngs

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
PICTURES = {"image": ("image_path", False), "control_image": ("control_image_path", True)}
"""Field -> key in the file, and whether it names a list."""


def check_prompts(samples: Iterable[Prompt], rule: FrameRule, family: Family) -> None:
    """Refuse what samples of ``family``, a version of the models, ignore."""
    title = family.title
    for prompt in samples:
        frames, name = prompt.frames or 1, repr(prompt.prompt[:60])
        check_frames(rule, frames, f"{frames} frames of the sample {name} do not fit {title}")
        if prompt.lora_multiplier is not None:
            raise MusubiError(
                "input-unexpected",
                f"the sample {name} sets lora_multiplier",
                fix="Samples use the trained LoRA as it is.",
            )
        if ignored := [each for each in sorted(family.ignores) if getattr(prompt, each) not in (None, "")]:
            raise MusubiError(
                "input-unexpected", f"the sample {name} sets {ignored[0]}, which {title} ignores", fix="Remove it."
            )


@dataclass(frozen=True)
class SampleRules:
    """Pictures by field of a prompt, default entries, empty negative prompt, own keys."""

    pictures: Mapping[str, PictureCount] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    empty_negative_prompt: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


def sample_fields(inputs: type[BaseModel]) -> dict[str, str]:
    """Return the trainer's :class:`SamplePicture` inputs by field of a prompt."""
    marked = ((name, marker(declared, SamplePicture)) for name, declared in inputs.model_fields.items())
    return {mark.stands_for: name for name, mark in marked if mark}


def write_prompts(sampling: Sampling, pictures: Mapping[str, Frames], rules: SampleRules, folder: Path) -> Path:
    """Write the prompts as JSON, with default ``pictures`` by field.

    In a .txt file "I " begins an image path and " --" options (training/sampling_prompts.py, v0.3.4).
    """
    entries = []
    for number, prompt in enumerate(sampling.samples()):
        entry = {**rules.defaults, **_entry(prompt, rules)}
        for name, (key, several) in PICTURES.items():
            takes, own = rules.pictures.get(name, NO_PICTURES), getattr(prompt, name)
            shown = pictures.get(name) if own is None and takes != NO_PICTURES else own
            check_pictures(name, shown, takes, f"the sample {prompt.prompt[:60]!r}")
            if shown is not None:
                files = [str(file) for file in save_pngs(shown, folder, f"sample_{name}_{number}")]
                entry[key] = files if several else files[0]
        entries.append(entry)
    return write_json(folder / "prompts.json", entries)


def _entry(prompt: Prompt, rules: SampleRules) -> dict[str, Any]:
    """Convert a prompt; v0.3.4 uses guidance with a negative prompt only."""
    values = ((rules.keys.get(name, key), getattr(prompt, name)) for name, key in KEYS.items())
    entry = {key: value for key, value in values if value is not None}
    entry["prompt"] = one_line(prompt.prompt)
    if prompt.negative_prompt or prompt.cfg_scale is not None:
        entry["negative_prompt"] = one_line(prompt.negative_prompt) or rules.empty_negative_prompt
    return entry
