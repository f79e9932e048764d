"""Prompt lines of musubi-tuner, such as ``a cat --w 832 --d 7``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from musubi_nodes.errors import InvalidValue

OPTIONS: Mapping[str, str] = MappingProxyType({
    "w": "width", "h": "height", "f": "frames", "d": "seed", "s": "steps", "g": "cfg_scale", "l": "cfg_scale",
    "fs": "flow_shift", "n": "negative_prompt", "i": "image",
})  # fmt: skip
"""Option -> field (``parse_prompt_line``, wan_generate_video.py, v0.3.4).

``--f`` are seconds in fpack_generate_video.py.
"""

SAMPLE_OPTIONS: Mapping[str, str] = MappingProxyType(
    {**{option: field for option, field in OPTIONS.items() if option != "i"}, "g": "guidance_scale"}
)
"""The same for samples, without pictures (``line_to_prompt_dict``)."""

OPTION = re.compile(r"(?:^|\s)--(?=[A-Za-z])")


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield numbered lines; skip empty ones and comments (v0.3.4)."""
    for number, line in enumerate(text.splitlines(), 1):
        if (plain := line.strip()) and not plain.startswith("#"):
            yield number, plain


def parse_line(line: str, options: Mapping[str, str] = OPTIONS) -> dict[str, str]:
    """Parse a line to fields of a prompt."""
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
    """Return the first option in a text, such as ``--w``, or ""."""
    found = OPTION.search(text)
    return "--" + text[found.end() :].split(None, 1)[0] if found else ""


def _spelled(option: str) -> str:
    return f"--{option}"
