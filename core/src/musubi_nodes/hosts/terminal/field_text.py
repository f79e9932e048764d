"""Source text of a field, proposed for a script's option."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Sequence

from musubi_nodes.commands.option_owners import names_file
from musubi_nodes.commands.tables import OptionSpec
from musubi_nodes.hosts.terminal.python_text import INDENT, annotated, call, literal

LARGEST = 1000
"""Proposed upper limit: argparse has no ranges."""

MODEL_FOLDERS = (
    (r"(\w+_)?dit(_\w+)?", "diffusion_models"),
    (r"vae", "vae"),
    (r"text_encoder\w*|t5|byt5", "text_encoders"),
    (r"clip|image_encoder", "clip_vision"),
)
"""Pattern of options for weights -> folder of ComfyUI."""

NO_WEIGHTS = re.compile(r"override_dit|\w+_dtype")
"""Options that look like weights: JSON, precisions."""

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

OF_PROMPTS = {"steps": "infer_steps", "frames": "video_length", "guidance": "guidance_scale"}
"""Option -> field that prompts of a batch replace."""

SHARED = {"infer_steps": "mn.Steps", "guidance_scale": "mn.Scale", "embedded_cfg_scale": "mn.Scale"}
"""Option -> the core's type of the field."""
WHOLE = {"flow_shift": "mn.ShiftBySize = None", "lycoris": "mn.Lycoris = False", "no_metadata": "mn.NoMetadata = False"}
"""Options whose whole field is the core's, if the script has no other default."""

TYPES = {"int": "int", "float": "float", "_int_or_float": "float", "int_or_float": "float"}


def declared(spec: OptionSpec, depth: int) -> str:
    """Return the text of one field; ``None`` leaves it to musubi-tuner."""
    if spec.name in WHOLE and not spec.default:
        return f"{INDENT * depth}{spec.name}: {WHOLE[spec.name]}"
    if spec.name in SHARED and spec.default is not None:
        inside = [*_default(spec, int if spec.kind == "int" else float), _described(spec)]
        return call(f"{spec.name}: {SHARED[spec.name]} = Field(", inside, depth=depth)
    if spec.name.endswith("dtype") and not spec.choices:
        return call(f"{spec.name}: mn.Dtype = Field(", ["None", _described(spec)], depth=depth)
    if spec.flag and field_name(spec) == spec.name:
        return call(f"{spec.name}: mn.Flag = Field(", ["False", _described(spec)], depth=depth)
    if spec.flag:
        return _field(spec, depth, "bool", ["False"])
    if spec.choices:
        return _field(spec, depth, choices(spec.choices), _default(spec, str))
    kind = TYPES.get(spec.kind)
    if kind is None:
        return _field(spec, depth, "str", _default(spec, str, empty='""'))
    default = spec.default if isinstance(spec.default, int | float) else None
    most = max(LARGEST, 10 * abs(default or 0))
    least = -most if (default or 0) < 0 else 0
    number = float if kind == "float" else int
    return _field(spec, depth, kind, [*_default(spec, number), f"ge={number(least)}", f"le={number(most)}"])


def choices(names: Sequence[str]) -> str:
    return f"Literal[{', '.join(map(literal, names))}]"


def side(name: str, default: int, depth: int) -> str:
    """Return the text of the base's width or height, as an option."""
    inside = [str(default), "ge=16", "le=4096", f'description="{name.capitalize()} in pixels."']
    return annotated(name, ["mn.Side", "mn.Option()"], inside, depth)


def media(spec: OptionSpec, depth: int) -> str:
    """Return the text of a picture's or video's field, or ""."""
    several = ", several=True" if spec.is_list else ""
    mark = f'mn.Picture("{spec.name}"{several})' if spec.name in PICTURES else f'mn.Clip("{spec.name}")'
    field = PICTURES.get(spec.name) or CLIPS.get(spec.name)
    return annotated(field, ["Any", mark], ["None", _described(spec)], depth) if field else ""


def weight(spec: OptionSpec, required: bool) -> str:
    return _field(spec, 1, "str", [] if required else ["None"], f'mn.ModelFile("{model_folder(spec)}")')


def field_name(spec: OptionSpec) -> str:
    """Return the name that prompts use, or a Python name of the option."""
    name = OF_PROMPTS.get(spec.name, spec.name.replace("-", "_"))
    return name + "_" * keyword.iskeyword(name)


def model_folder(spec: OptionSpec) -> str:
    """Return ComfyUI's folder for the option's weights, or ""."""
    if not names_file(spec) or NO_WEIGHTS.fullmatch(spec.name):
        return ""
    return next((folder for pattern, folder in MODEL_FOLDERS if re.fullmatch(pattern, spec.name)), "")


def _default(spec: OptionSpec, kind: type, empty: str = "None") -> list[str]:
    if spec.default is None:
        return [] if spec.required else [empty]
    return [literal(kind(spec.default))]


def _field(spec: OptionSpec, depth: int, kind: str, arguments: list[str], *more: str) -> str:
    shown = f"{kind} | None" if arguments[:1] == ["None"] else kind
    name = field_name(spec)
    option = "mn.Option()" if name == spec.name else f'mn.Option("{spec.name}")'
    return annotated(name, [shown, *more, option], [*arguments, _described(spec)], depth)


def _described(spec: OptionSpec) -> str:
    """Return the English half of the help, or the option's name in words."""
    help_text = spec.help or spec.name.replace("_", " ").replace("-", " ")
    english = re.split(r"\s*/\s(?=.*[^\x00-\x7f])", " ".join(help_text.split()))[0]
    short = textwrap.shorten(english, 90, placeholder=" ...")
    return f"description={literal(f'{short[:1].upper()}{short[1:]}'.rstrip(' .') + '.')}"
