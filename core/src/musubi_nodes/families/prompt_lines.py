"""Prompts as musubi-tuner writes them in a text file: one a line, with options behind it (``a cat --w 832 --d 7``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from musubi_nodes.errors import InvalidValue

OPTIONS: Mapping[str, str] = MappingProxyType({
    "w": "width", "h": "height", "f": "frames", "d": "seed", "s": "steps", "g": "cfg_scale", "l": "cfg_scale",
    "fs": "flow_shift", "n": "negative_prompt", "i": "image",
})  # fmt: skip
"""Option of a line for a generator -> field of a prompt (``parse_prompt_line`` of wan_generate_video.py, v0.3.4). In
fpack_generate_video.py ``--f`` are seconds: our FramePack node refuses frames that are no whole sections."""

SAMPLE_OPTIONS: Mapping[str, str] = MappingProxyType(
    {**{option: field for option, field in OPTIONS.items() if option != "i"}, "g": "guidance_scale"}
)
"""The same for samples of a training (``line_to_prompt_dict`` of training/sampling_prompts.py, v0.3.4); a picture has
to come over a wire."""

OPTION = re.compile(r"(?:^|\s)--(?=[A-Za-z])")
"""Where an option begins; a dash between words is none."""


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, without empty ones and those that begin with #, as musubi-tuner does (v0.3.4)."""
    for number, line in enumerate(text.splitlines(), 1):
        if (plain := line.strip()) and not plain.startswith("#"):
            yield number, plain


def said(line: str, options: Mapping[str, str] = OPTIONS) -> dict[str, str]:
    """The fields of a prompt that a line says; an :class:`InvalidValue` that names an option that there is not."""
    text, *parts = OPTION.split(line)
    values = {"prompt": text.strip()}
    for part in parts:
        option, *rest = part.split(None, 1)
        if option not in options:
            raise InvalidValue(
                "prompt-option-unknown",
                f"there is no option '--{option}' in a prompt (there are {' '.join(map(_spelled, options))})",
            )
        if not rest:
            raise InvalidValue("prompt-option-empty", f"the option '--{option}' has no value")
        if options[option] in values:
            raise InvalidValue("prompt-option-twice", f"the option '--{option}' says {options[option]} a second time")
        values[options[option]] = rest[0].strip()
    return values


def first_option(text: str) -> str:
    """The first option in a text, such as ``--w``; "" for none."""
    found = OPTION.search(text)
    return "--" + text[found.end() :].split(None, 1)[0] if found else ""


def _spelled(option: str) -> str:
    return f"--{option}"
