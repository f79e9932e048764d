"""Prompt lines and prompt files, for sampling while training and for ``--from_file``."""

from __future__ import annotations

import argparse
import copy
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .config import read_toml
from .output import MAIN

LOG = logging.getLogger("musubi_tuner.training.sampling_prompts")
Prompt = dict[str, Any]

SAMPLE_OPTIONS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "w": ("width", r"w (\d+)", int),
    "h": ("height", r"h (\d+)", int),
    "f": ("frame_count", r"f (\d+)", int),
    "d": ("seed", r"d (\d+)", int),
    "s": ("sample_steps", r"s (\d+)", lambda text: max(1, min(1000, int(text)))),
    "g": ("guidance_scale", r"g ([\d\.]+)", float),
    "fs": ("discrete_flow_shift", r"fs ([\d\.]+)", float),
    "l": ("cfg_scale", r"l ([\d\.]+)", float),
    "n": ("negative_prompt", r"n (.+)", str),
    "i": ("image_path", r"i (.+)", str.strip),
    "ei": ("end_image_path", r"ei (.+)", str.strip),
    "cn": ("control_video_path", r"cn (.+)", str.strip),
    "of": ("one_frame", r"of (.+)", str.strip),
}
"""Options of a sample prompt by letter: key, pattern, type (training/sampling_prompts.py)."""


def sample_prompt(line: str) -> Prompt:
    """One line of a sample prompt file as a dictionary."""
    first, *rest = line.split(" --")
    prompt: Prompt = {"prompt": first}
    for part in rest:
        if match := re.match(r"ci (.+)", part, re.IGNORECASE):
            prompt.setdefault("control_image_path", []).append(match.group(1).strip())
            continue
        for key, pattern, kind in SAMPLE_OPTIONS.values():
            if match := re.match(pattern, part, re.IGNORECASE):
                prompt[key] = kind(match.group(1))
                break
    return prompt


def load_sample_prompts(file: str) -> list[Prompt]:
    """The prompts of a ``.txt``, ``.toml`` or ``.json`` file."""
    prompts: list[Any]
    if file.endswith(".txt"):
        lines = Path(file).read_text("utf-8").splitlines()
        prompts = [line.strip() for line in lines if line.strip() and line[0] != "#"]
    elif file.endswith(".toml"):
        table = read_toml(Path(file))["prompt"]
        prompts = [{**table, **subset} for subset in table["subset"]]
    elif file.endswith(".json"):
        prompts = json.loads(Path(file).read_text("utf-8"))
    else:
        raise UnboundLocalError("cannot access local variable 'prompts' where it is not associated with a value")
    found = [sample_prompt(prompt) if isinstance(prompt, str) else dict(prompt) for prompt in prompts]
    for number, prompt in enumerate(found):
        prompt["enum"] = number
        prompt.pop("subset", None)
    return found


Options = dict[str, tuple[str, Callable[[str], Any]]]

GENERATION_OPTIONS: Options = {
    "w": ("video_size_width", int),
    "h": ("video_size_height", int),
    "f": ("video_length", int),
    "d": ("seed", int),
    "s": ("infer_steps", int),
    "g": ("guidance_scale", float),
    "l": ("guidance_scale", float),
    "fs": ("flow_shift", float),
    "i": ("image_path", str),
    "ei": ("end_image_path", str),
    "cn": ("control_path", str),
    "n": ("negative_prompt", str),
    "of": ("one_frame_inference", str),
}
"""Options of a ``--from_file`` line: the argument that each overrides (wan_generate_video.py)."""

REPEATED = {"ci": "control_image_path", "cim": "control_image_mask_path"}


FRAMEPACK_OPTIONS: Options = {
    **{key: value for key, value in GENERATION_OPTIONS.items() if key != "cn"},
    "f": ("video_seconds", float),
    "vs": ("video_sections", int),
    "mcrr": ("magcache_retention_ratio", float),
    "mct": ("magcache_threshold", float),
    "mck": ("magcache_k", int),
}
"""The same for fpack_generate_video.py."""

ZIMAGE_OPTIONS: Options = {
    **{key: GENERATION_OPTIONS[key] for key in ("d", "s", "g", "l", "fs", "n")},
    "w": ("image_size_width", int),
    "h": ("image_size_height", int),
}
"""The same for zimage_generate_image.py."""

SIDES = {"height": 0, "width": 1}
"""Places in ``--video_size`` and ``--image_size``."""


def generation_prompt(line: str, options: Options = GENERATION_OPTIONS) -> Prompt:
    """One line of a ``--from_file`` file as overrides of the command line."""
    first, *rest = line.split(" --")
    overrides: Prompt = {"prompt": first.strip()}
    for part in rest:
        option, _, value = part.strip().partition(" ")
        if option in options:
            key, kind = options[option]
            overrides[key] = kind(value.strip())
        elif option in REPEATED:
            overrides.setdefault(REPEATED[option], []).append(value.strip())
    return overrides


def read_prompts(file: str, options: Options = GENERATION_OPTIONS) -> list[Prompt]:
    """The lines of a ``--from_file`` file without comments."""
    prompts = []
    for line in Path(file).read_text("utf-8").splitlines():
        if line.strip() and not line.strip().startswith("#"):
            prompts.append(generation_prompt(line.strip(), options))
            MAIN.info(f"Parsed prompt data: {prompts[-1]}")
    return prompts


def with_overrides(args: argparse.Namespace, overrides: Prompt) -> argparse.Namespace:
    """The command line with what one prompt line says otherwise."""
    changed = copy.deepcopy(args)
    for key, value in overrides.items():
        size, _, side = key.rpartition("_")
        if side in SIDES and size.endswith("_size"):
            getattr(changed, size)[SIDES[side]] = value
        else:
            setattr(changed, key, value)
    return changed
