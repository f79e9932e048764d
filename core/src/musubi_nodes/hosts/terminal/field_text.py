"""Source text of a field, proposed for a script's option."""

from __future__ import annotations

import json
import keyword
import re
import textwrap

from musubi_nodes.commands.option_owners import names_file
from musubi_nodes.commands.tables import OptionSpec

WIDTH = 120
LARGEST = 1000
"""Proposed upper limit: argparse has no ranges."""

MODEL_FOLDERS = (
    (r"(\w+_)?dit(_\w+)?", "diffusion_models"),
    (r"vae", "vae"),
    (r"text_encoder\w*|t5|byt5", "text_encoders"),
    (r"clip|image_encoder", "clip_vision"),
)
"""Pattern of options for weights -> folder of ComfyUI."""

NO_WEIGHTS = frozenset({"override_dit"})
"""Options that look like weights: this one is JSON."""

PICTURES = {
    "image_path": "image",
    "i": "image",
    "end_image_path": "end_image",
    "image_last": "end_image",
    "control_image_path": "control_image",
    "control_image_mask_path": "control_image_mask",
    "mask_path": "mask",
    "ref_images": "control_image",
}
CLIPS = {"video_path": "video", "control_path": "control_video"}
"""Option of a file that the script reads -> field of the picture or video."""

SHARED_TYPES = {"vae_dtype": "Dtype"}

TYPES = {"int": "int", "float": "float", "_int_or_float": "float", "int_or_float": "float"}


def declared(spec: OptionSpec) -> str:
    """Return the text of one field; ``None`` leaves it to musubi-tuner."""
    if shared := SHARED_TYPES.get(spec.name):
        return f"    {spec.name}: {shared} = Field(None, description={_described(spec)})"
    if spec.flag:
        return _field(spec, "bool", ["False"])
    if spec.choices:
        return _field(spec, f"Literal[{', '.join(map(json.dumps, spec.choices))}]", _default(spec, str))
    kind = TYPES.get(spec.kind)
    if kind is None:
        return _field(spec, "str", _default(spec, str, empty='""'))
    default = spec.default if isinstance(spec.default, int | float) else None
    most = max(LARGEST, 10 * abs(default or 0))
    least = -most if (default or 0) < 0 else 0
    number = float if kind == "float" else int
    return _field(spec, kind, [*_default(spec, number), f"ge={number(least)}", f"le={number(most)}"])


def media(spec: OptionSpec) -> str:
    """Return the text of a picture's or video's field, or ""."""
    several = ", several=True" if spec.is_list else ""
    mark = f'Picture("{spec.name}"{several})' if spec.name in PICTURES else f'Clip("{spec.name}")'
    field = PICTURES.get(spec.name) or CLIPS.get(spec.name)
    return f"    {field}: Annotated[Any, {mark}] = Field(None, description={_described(spec)})" if field else ""


def _default(spec: OptionSpec, kind: type, empty: str = "None") -> list[str]:
    if spec.default is None:
        return [] if spec.required else [empty]
    return [json.dumps(kind(spec.default), ensure_ascii=False)]


def weight(spec: OptionSpec, required: bool) -> str:
    return _field(spec, "str", [] if required else ["None"], f'ModelFile("{model_folder(spec)}"), ')


def _field(spec: OptionSpec, kind: str, arguments: list[str], more: str = "") -> str:
    annotated = f"{kind} | None" if arguments[:1] == ["None"] else kind
    inside = ", ".join([*arguments, f"description={_described(spec)}"])
    name = spec.name.replace("-", "_") + "_" * keyword.iskeyword(spec.name)
    option = "Option()" if name == spec.name else f'Option("{spec.name}")'
    line = f"    {name}: Annotated[{annotated}, {more}{option}] = Field({inside})"
    return line if len(line) <= WIDTH else line.replace(f"Field({inside})", f"Field(\n        {inside}\n    )")


def _described(spec: OptionSpec) -> str:
    english = re.split(r"\s*/\s(?=.*[^\x00-\x7f])", " ".join(spec.help.split()))[0]
    short = textwrap.shorten(english, 90, placeholder=" ...")
    return json.dumps(f"{short[:1].upper()}{short[1:]}", ensure_ascii=False)


def model_folder(spec: OptionSpec) -> str:
    """Return ComfyUI's folder for the option's weights, or ""."""
    if spec.name in NO_WEIGHTS or not names_file(spec):
        return ""
    return next((folder for pattern, folder in MODEL_FOLDERS if re.fullmatch(pattern, spec.name)), "")
