"""Fields proposed for a new family from the options of its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes import families
from musubi_nodes.commands.option import Option, marker
from musubi_nodes.commands.option_owners import refusal
from musubi_nodes.config import Config
from musubi_nodes.families.fields import fields_of
from musubi_nodes.families.generating.generator import Generator
from musubi_nodes.families.settings import Memory
from musubi_nodes.hosts.terminal.family_scripts import Kind, Script, read_scripts
from musubi_nodes.hosts.terminal.field_text import declared, media, model_folder, weight


def proposal(folder: Path, prefix: str, family: str, config: Config) -> str:
    found = read_scripts(folder, prefix, config)
    parts = [_class(f"{family}Models", "Models", "The weights that the scripts take.", _weights(family, found))]
    for script in found:
        base, doc = script.kind.base, f"{script.name}, {script.source}."
        parts.append(_class(f"{family}{base.__name__}Fields", base.Inputs.__name__, doc, _own(script)))
        parts += [spelling] if (spelling := _spelling(script, family)) else []
    body = "\n\n\n".join(parts)
    used = {*re.findall(r"\w+", body)} & {*families.__all__}
    names = "\n".join(f"    {name}," for name in sorted(used, key=lambda name: (not name.isupper(), name.lower())))
    reason = '\n\nNO_SUCH_OPTION = "The script has no such option."' if "NO_SUCH_OPTION" in body else ""
    return _HEAD.format(prefix=prefix, names=names) + f"{reason}\n\n\n{body}\n"


def _own(script: Script) -> Iterator[str]:
    for name in sorted(_sent(script.kind.base.Inputs) - script.options.keys()):
        yield f"    # this script has no --{name}, which the base sends: declare the field again, without Option()"
    taken = _taken(script.kind) - _narrower(script)
    for spec in script.options.values():
        if spec.name in taken or model_folder(spec):
            continue
        if field := media(spec) if issubclass(script.kind.base, Generator) else "":
            yield field
            continue
        if refusal(spec):
            continue
        if spec.name in script.kind.base.Inputs.model_fields.keys() - taken - _narrower(script):
            yield f"    # --{spec.name}: the base has this field: declare it again with Option()"
        elif spec.is_list:
            yield f"    # --{spec.name} takes several values: send it from computed_options()"
        elif re.fullmatch(r"fp8_(t5|llm|vl|text_encoder)", spec.name):
            yield f'    # --{spec.name}: write fp8_text_encoder="{spec.name}" in the family'
        else:
            yield declared(spec)


def _taken(kind: Kind) -> set[str]:
    """Return options that the base or shared settings set."""
    fields = _sent(kind.base.Inputs) | {name for settings in kind.settings for name in settings.model_fields}
    computed = {name for settings in kind.settings for name in settings().options()}
    choices = (options for values in kind.option_map.values() for options in values.values())
    spelled = {name for options in choices if not isinstance(options, str) for name in options}
    impossible = {str(n) for values in kind.option_map.values() for n, sent in values.items() if isinstance(sent, str)}
    return fields | computed | spelled | impossible | kind.sent | kind.base.refused_options.keys()


def _sent(model: type[BaseModel]) -> set[str]:
    marked = ((name, marker(info, Option)) for name, info in model.model_fields.items())
    return {option.name or name for name, option in marked if option}


def _spelling(script: Script, family: str) -> str:
    """Return the option map without what this script lacks, or ""."""
    base, lines = script.kind.option_map_name, []
    for name, choices in script.kind.option_map.items():
        plain = Memory.model_fields[name].default  # stays possible, as the script's default
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
    """Return options that the script gives fewer choices than the base."""
    specs = ((spec, script.options.get(spec.name)) for spec in fields_of(script.kind.base.Inputs) if spec.choices)
    return {spec.name for spec, found in specs if found and found.choices and set(spec.choices) - set(found.choices)}


def _weights(family: str, found: Iterable[Script]) -> Iterator[str]:
    yield f'    socket = "MUSUBI_{re.sub(r"(?<!^)(?=[A-Z])", "_", family).upper()}_MODELS"\n'
    every = [spec for script in found for spec in script.options.values() if model_folder(spec)]
    for name in dict.fromkeys(spec.name for spec in every):
        same = [spec for spec in every if spec.name == name]
        needed = any(spec.required for spec in same)
        best = next((spec for spec in same if spec.help), same[0])
        yield weight(best, needed)


def _class(name: str, base: str, doc: str, lines: Iterable[str]) -> str:
    return "\n".join([f"class {name}({base}):", f'    """{doc}"""', "", *lines]).rstrip()


_HEAD = '''"""Proposed from the scripts {prefix}_*.py: paste what you want into your nodes, then delete this file.

Models: take what the nodes send with ``ForwardOptions``. Fields: names, types, choices and defaults are the scripts'
own. Ranges are guesses, argparse has none; a missing description is yours to write: a plugin without it is left out.
What several scripts take, such as the model's version, belongs into Models once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes.families import (
{names}
)'''
