"""Fields for a new family's nodes, proposed from what its scripts take: declarations that an author pastes and edits.

What shared nodes and the runner own already is left out.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes import families
from musubi_nodes.commands.accepted import accepted_options
from musubi_nodes.commands.option import Option, marker
from musubi_nodes.commands.ownership import PATHS, refusal
from musubi_nodes.commands.tables import RELEASES, OptionSpec, Table, scripts, table
from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.caches import LatentCache, TextEncoderCache
from musubi_nodes.families.family import GENERATOR_SPELLING, TRAINER_SPELLING, Spelling
from musubi_nodes.families.fields import Settings, fields_of
from musubi_nodes.families.generator import VideoGenerator
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory, Optimizer, Sampling, Training
from musubi_nodes.families.trainer import LoRATrainer
from musubi_nodes.files import cleaned_path
from musubi_nodes.runs.install import SOURCE_FOLDERS, Install, load_install

WIDTH = 120
LARGEST = 1000
"""argparse has no ranges: a proposed one reaches this far, or ten times the script's default."""


@dataclass(frozen=True)
class Kind:
    """One node of a family: how its script's name goes on, its base, and what that base sends by itself."""

    ending: str
    base: type[ScriptNode]
    settings: tuple[type[Settings], ...] = (Memory,)
    spelling: Spelling = field(default_factory=dict)
    spelling_name: str = ""
    sent: frozenset[str] = frozenset()


KINDS = (
    Kind(r"cache_(latents|pixel)", LatentCache),
    Kind(r"cache_text_encoder_outputs", TextEncoderCache),
    Kind(
        r"train_network",
        LoRATrainer,
        (Memory, Training, Optimizer, Sampling),
        TRAINER_SPELLING,
        "TRAINER_SPELLING",
        frozenset({"network_weights", "base_weights", "base_weights_multiplier", "sage_attn"}),
    ),
    Kind(
        r"generate_(video|image)",
        VideoGenerator,
        (Memory,),
        GENERATOR_SPELLING,
        "GENERATOR_SPELLING",
        frozenset({"prompt", "video_size", "image_size", "lora_weight", "lora_multiplier", "attn_mode"}),
    ),
)

MODEL_FOLDERS = (
    (r"(\w+_)?dit(_\w+)?", "diffusion_models"),
    (r"vae", "vae"),
    (r"text_encoder\w*|t5|byt5", "text_encoders"),
    (r"clip|image_encoder", "clip_vision"),
)
"""Options that name weights, and ComfyUI's folder for them."""

SHARED_TYPES = {"vae_dtype": "VaeDtype"}
"""Options whose type the door has already."""

TYPES = {"int": "int", "float": "float", "_int_or_float": "float", "int_or_float": "float"}


@dataclass(frozen=True)
class Script:
    """A script of the family, the node that it is for, what it takes, and where that is known from."""

    name: str
    kind: Kind
    options: Table
    source: str


def proposal(folder: Path, prefix: str, family: str, config: Config) -> str:
    """A Python file with the models and one class of fields for each script ``<prefix>_*.py`` in ``folder``.

    Options come from the scripts' ``--help``, run by the Python of the configured install in ``folder`` or of an
    environment there; where that fails, from the kept table of the newest release.
    """
    install = _install(folder, config)
    found = [Script(name, kind, *_options(name, install)) for name, kind in family_scripts(folder, prefix)]
    parts = [_class(f"{family}Models", "Models", "The weights that the scripts take.", _weights(family, found))]
    for script in found:
        base, doc = script.kind.base, f"{script.name}, {script.source}."
        parts.append(_class(f"{family}{base.__name__}Fields", base.Inputs.__name__, doc, _own(script)))
        parts += [spelling] if (spelling := _spelling(script, family)) else []
    body = "\n\n\n".join(parts)
    used = {*re.findall(r"\w+", body)} & {*families.__all__}
    names = "\n".join(f"    {name}," for name in sorted(used, key=str.lower))
    return _HEAD.format(prefix=prefix, names=names) + f"\n\n\n{body}\n"


def family_scripts(folder: Path, prefix: str) -> list[tuple[str, Kind]]:
    """The family's scripts in a musubi-tuner, in the order of its nodes; a :class:`MusubiError` where it has none."""
    names = sorted({path.name for sub in SOURCE_FOLDERS for path in (folder / sub).glob("*.py")})
    found = [(_family(name, kind), name, kind) for kind in KINDS for name in names]
    if mine := [(name, kind) for family, name, kind in found if family == prefix]:
        return mine
    known = sorted({family for family, _, _ in found if family})
    raise MusubiError(
        f"there are no scripts {prefix}_*.py in {folder}{did_you_mean(prefix, known)}",
        why=f"Families there: {', '.join(known)}." if known else "It holds no scripts of musubi-tuner at all.",
        fix="Name musubi-tuner's folder with --scripts, and how the scripts' names begin with --prefix.",
    )


def _family(name: str, kind: Kind) -> str:
    """What stands before the kind's ending; "" where the script is of another kind."""
    match = re.fullmatch(rf"(\w+?)_{kind.ending}\.py", name)
    return match[1] if match else ""


def _install(folder: Path, config: Config) -> Install | None:
    """What can run the scripts; ``None`` where no Python for them is known."""
    here = (values for values in config.installs.values() if cleaned_path(values.root).resolve() == folder.resolve())
    try:
        return load_install("scripts", str(folder), next((values.python for values in here), None))
    except MusubiError:
        return None


def _options(script: str, install: Install | None) -> tuple[Table, str]:
    print(f"reading the options of {script}", flush=True)
    known = accepted_options(install, script) if install else table(script) or {}
    if not known:
        raise MusubiError(
            f"the options of {script} cannot be found out",
            why="No Python was found that could run its --help, and no kept table of musubi-tuner has it.",
            fix="Set MUSUBI_TUNER_ROOT to this folder and MUSUBI_TUNER_PYTHON to its Python, or use config.toml.",
        )
    asked = any(spec.help for spec in known.values()) or script not in scripts()
    return known, "from its --help" if asked else f"from the kept table of v{RELEASES[-1]}: its --help could not be run"


def _own(script: Script) -> Iterator[str]:
    """Fields for what nobody owns yet; a list has no widget, so it is only named."""
    for name in sorted(_sent(script.kind.base.Inputs) - script.options.keys()):
        yield f"    # this script has no --{name}, which the base sends: declare the field anew, without Option()"
    taken = _taken(script.kind) - _narrower(script)
    for spec in script.options.values():
        if spec.name in taken or _folder_of(spec) or refusal(spec, known=spec.kind != ""):
            continue
        if spec.name in script.kind.base.Inputs.model_fields.keys() - taken - _narrower(script):
            yield f"    # --{spec.name}: the base has a field of this name, declare it anew with Option()"
        elif spec.is_list:
            yield f"    # --{spec.name} takes several values: send it from derived()"
        elif re.fullmatch(r"fp8_(t5|llm|vl|text_encoder)", spec.name):
            yield f'    # --{spec.name}: write fp8_text_encoder="{spec.name}" in the family'
        else:
            yield _declared(spec)


def _taken(kind: Kind) -> set[str]:
    """What the base, the shared settings and their spelling set already."""
    fields = {name for model in (kind.base.Inputs, *kind.settings) for name in _sent(model)}
    computed = {name for settings in kind.settings for name in settings().options()}
    choices = (options for values in kind.spelling.values() for options in values.values())
    spelled = {name for options in choices if not isinstance(options, str) for name in options}
    return fields | computed | spelled | kind.sent


def _sent(model: type[BaseModel]) -> set[str]:
    """The options among a declaration's fields."""
    marked = ((name, marker(info, Option)) for name, info in model.model_fields.items())
    return {option.name or name for name, option in marked if option}


def _spelling(script: Script, family: str) -> str:
    """The kind's spelling of a memory plan without what this script cannot do; "" where it can do it all."""
    base, lines = script.kind.spelling_name, []
    for name, choices in script.kind.spelling.items():
        plain = Memory.model_fields[name].default  # must stay possible: then the script's own way is taken
        missing = [choice for choice, sent in choices.items() if not isinstance(sent, str) and _cannot(script, sent)]
        if missing:
            rows = [f'        "{c}": {{}},' if c == plain else f'        "{c}": NO_SUCH_OPTION,' for c in missing]
            lines += [f'    "{name}": {{', f'        **{base}["{name}"],', *rows, "    },"]
    if not lines:
        return ""
    return "\n".join([f"{family.upper()}_{base} = {{  # {base.lower()} of the family", f"    **{base},", *lines, "}"])


def _cannot(script: Script, sent: Mapping[str, Any]) -> bool:
    known = script.options
    return any(n not in known or (known[n].choices and str(v) not in known[n].choices) for n, v in sent.items())


def _narrower(script: Script) -> set[str]:
    """Options of the base that this script gives fewer choices: the family declares them anew."""
    specs = ((spec, script.options.get(spec.name)) for spec in fields_of(script.kind.base.Inputs) if spec.choices)
    return {spec.name for spec, found in specs if found and found.choices and set(spec.choices) - set(found.choices)}


def _declared(spec: OptionSpec) -> str:
    """One field. ``None`` leaves the option to musubi-tuner; without help text the author must describe it."""
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


def _default(spec: OptionSpec, kind: type, empty: str = "None") -> list[str]:
    if spec.default is None:
        return [] if spec.required else [empty]
    return [json.dumps(kind(spec.default), ensure_ascii=False)]


def _field(spec: OptionSpec, kind: str, arguments: list[str], more: str = "") -> str:
    annotated = f"{kind} | None" if arguments[:1] == ["None"] else kind
    inside = ", ".join([*arguments, f"description={_described(spec)}"])
    name = spec.name.replace("-", "_")
    option = "Option()" if name == spec.name else f'Option("{spec.name}")'
    line = f"    {name}: Annotated[{annotated}, {more}{option}] = Field({inside})"
    return line if len(line) <= WIDTH else line.replace(f"Field({inside})", f"Field(\n        {inside}\n    )")


def _described(spec: OptionSpec) -> str:
    """The English part of the help text as a short sentence in quotes."""
    english = re.split(r"\s*/\s(?=.*[^\x00-\x7f])", " ".join(spec.help.split()))[0]
    short = textwrap.shorten(english, 90, placeholder=" ...")
    return json.dumps(f"{short[:1].upper()}{short[1:]}", ensure_ascii=False)


def _weights(family: str, found: Iterable[Script]) -> Iterator[str]:
    yield f'    socket = "MUSUBI_{re.sub(r"(?<!^)(?=[A-Z])", "_", family).upper()}_MODELS"\n'
    every = [spec for script in found for spec in script.options.values() if _folder_of(spec)]
    for name in dict.fromkeys(spec.name for spec in every):
        same = [spec for spec in every if spec.name == name]
        needed = any(spec.required for spec in same)
        best = next((spec for spec in same if spec.help), same[0])
        yield _field(best, "str", [] if needed else ["None"], f'ModelFile("{_folder_of(best)}"), ')


def _folder_of(spec: OptionSpec) -> str:
    if spec.name not in PATHS and spec.kind:
        return ""
    return next((folder for pattern, folder in MODEL_FOLDERS if re.fullmatch(pattern, spec.name)), "")


def _class(name: str, base: str, doc: str, lines: Iterable[str]) -> str:
    return "\n".join([f"class {name}({base}):", f'    """{doc}"""', "", *lines]).rstrip()


_HEAD = '''"""Proposed from the scripts {prefix}_*.py: paste what you want into your nodes, then delete this file.

Models: take what the nodes send with ``Takes``. Fields: names, types, choices and defaults are the scripts' own. Ranges
are guesses, argparse has none; a missing description is yours to write: a plugin without it is left out. What
several scripts take, such as the model's version, belongs into Models once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musubi_nodes.families import (
{names}
)

NO_SUCH_OPTION = "The script has no such option."'''
