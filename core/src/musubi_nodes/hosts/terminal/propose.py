"""The module of a new family's nodes, proposed from its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from musubi_nodes.commands.option_owners import refusal
from musubi_nodes.commands.tables import OptionSpec, scripts
from musubi_nodes.families.fields import fields_of
from musubi_nodes.families.generating.generator import PROMPT_FIELDS, PROMPT_LINE, Generator, ImageGenerator
from musubi_nodes.families.training.lora_trainer import LoRATrainer
from musubi_nodes.hosts.terminal.family_scripts import Found, Script, sent_by
from musubi_nodes.hosts.terminal.field_text import (
    PICTURES,
    choices,
    declared,
    field_name,
    media,
    model_folder,
    side,
    weight,
)
from musubi_nodes.hosts.terminal.option_map_text import differing, option_maps
from musubi_nodes.hosts.terminal.python_text import WIDTH, annotated, call, literal, spread

VERSIONS = ("model_version", "model_type", "task")
"""Options that choose one of a family's models."""
FP8_TEXT = re.compile(r"fp8_(t5|llm|vl|text_encoder)")
OWN_SHIFT = ("timestep_sampling", "discrete_flow_shift")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
ALWAYS = ("dit", "vae")
"""Weights that are needed, though few parsers say so."""
SIDES = {"width": 1024, "height": 1024}


@dataclass(frozen=True)
class Names:
    """Spellings of the family's name."""

    key: str
    title: str
    camel: str

    @property
    def constant(self) -> str:
        return self.key.upper()


def nodes_module(found: Found, names: Names) -> str:
    """Return the source of the family and its nodes."""
    classes = [_models(found, names), _models_node(names)]
    classes += [_node(script, found, names) for script in found.scripts if not left_out(script)]
    made = [f"{names.camel}ModelsNode", *(_class(script, names) for script in found.scripts if not left_out(script))]
    nodes = call("NODES = (", made) if len(call("NODES = (", made)) <= WIDTH else spread("NODES = (", made)
    body = "\n\n\n".join([f"{option_maps(found, names.constant)}{_family(found, names)}", *classes, nodes])
    used = (("Annotated", "Annotated["), ("Any", "Annotated[Any,"), ("Literal", "Literal["))
    typing = [name for name, sign in used if sign in body]
    return _HEAD.format(title=names.title, found=found, typing=", ".join(typing)) + f"{body}\n"


def left_out(script: Script) -> str:
    """Return why no node can run the script yet, or ""."""
    if issubclass(script.kind.base, Generator) and "save_path" not in script.options:
        return "it has no --save_path, the folder that generators write to"
    return ""


def model_fields(found: Found) -> list[str]:
    """Return the fields of the models: the version, then the files."""
    version = _version(found)
    return [*([version.name] if version else []), *_weights(found)]


def _family(found: Found, names: Names) -> str:
    generator, first = found.of(Generator), (*found.architectures, found.prefix)[0]
    others = f"  # others: {', '.join(found.architectures[1:])}; see Versions" if found.architectures[1:] else ""
    rows = [f"key={literal(names.key)},", f"title={literal(names.title)},", f"architecture={literal(first)},{others}"]
    rows.append(f"network_module={literal(found.training.get('network_module', 'networks.lora'))},")
    if generator and issubclass(generator.kind.base, ImageGenerator):
        rows.append("frame_rule=mn.PICTURES,")
    defaults = {name: _number(found.training[name]) for name in OWN_SHIFT if name in found.training}
    rows += [f"training_defaults={literal(defaults)},"] if defaults else []
    rows += [f"fp8_text_encoder={literal(name)}," for name in _fp8_text(found)[:1]]
    for kind, script in (("trainer", found.of(LoRATrainer)), ("generator", generator)):
        if script and differing(script):
            rows.append(f"{kind}_options={names.constant}_{script.kind.option_map_name},")
    if takes := _control_pictures(generator):
        rows.append(f"control_images={takes},  # a guess: NO_PICTURES, ONE_OR_MORE, PictureCount(1, 1) ...")
    return "\n".join([f"{names.constant} = mn.Family(", *(f"    {row}" for row in rows), ")"])


def _control_pictures(generator: Script | None) -> str:
    spec = next((s for name, s in generator.options.items() if _is_control(name)), None) if generator else None
    return "" if spec is None else "mn.PictureCount()" if spec.is_list else "mn.PictureCount(most=1)"


def _is_control(option: str) -> bool:
    return PICTURES.get(option) == "control_image"


def _fp8_text(found: Found) -> list[str]:
    return [name for script in found.scripts for name in script.options if FP8_TEXT.fullmatch(name)]


def _number(text: str) -> str | float:
    return float(text) if NUMBER.fullmatch(text) else text


def _models(found: Found, names: Names) -> str:
    lines = [f'    socket = "MUSUBI_{names.constant}_MODELS"']
    if version := _version(found):
        lines.append(f'    version_field = "{version.name}"')
    fields = [declared(version, 1)] if version else []
    needed = needed_files(found)
    for name in _weights(found):
        same = _specs(found, name)
        fields.append(weight(next((spec for spec in same if spec.help), same[0]), name in needed))
    lines += ["", *fields] if fields else []
    return "\n".join([f"class {names.camel}Models(mn.Models):", f'    """{names.title}\'s files."""', "", *lines])


def needed_files(found: Found) -> list[str]:
    return [each for each in _weights(found) if each in ALWAYS or any(s.required for s in _specs(found, each))]


def _specs(found: Found, option: str) -> list[OptionSpec]:
    return [script.options[option] for script in found.scripts if option in script.options]


def _weights(found: Found) -> list[str]:
    every = (name for script in found.scripts for name, spec in script.options.items() if model_folder(spec))
    return sorted(dict.fromkeys(every), key=lambda name: name != "dit")


def _version(found: Found) -> OptionSpec | None:
    """Return the option that chooses one of the family's models; choices are rather known."""
    same = [spec for name in VERSIONS for spec in _specs(found, name)]
    return next((spec for spec in same if spec.choices), next(iter(same), None))


def _models_node(names: Names) -> str:
    doc = f"Names the files of {names.title} and checks them. It loads nothing."
    values = f'"MusubiTuner_{names.camel}Models", "{names.title} Models"'
    head = [f"class {names.camel}ModelsNode(mn.ModelsNode):", f'    """{doc}"""', ""]
    return "\n".join([*head, f"    id, title = {values}", f"    models = {names.camel}Models"])


def _class(script: Script, names: Names) -> str:
    base = script.kind.base.__name__.removeprefix("Image").removeprefix("Video")
    return f"{names.camel}{base}"


def _node(script: Script, found: Found, names: Names) -> str:
    kind, name = script.kind, _class(script, names)
    head = [
        f"class {name}(mn.{kind.base.__name__}):",
        f'    """{kind.doc.format(title=names.title)}"""',
        "",
        f'    id, title = "MusubiTuner_{name}", "{names.title} {kind.title}"',
        f'    family, script = {names.constant}, "{script.name}"',
    ]
    if script.name not in scripts():
        head.append(f'    script_since = "{found.version}"')
    taken = [each for each in model_fields(found) if each in script.options]
    sample = [each for each in taken if model_folder(script.options[each]) not in ("", "diffusion_models")]
    if issubclass(kind.base, LoRATrainer) and sample:
        head.append(f"    sample_models = {literal(tuple(sample))}")
        taken = [each for each in taken if each not in sample]
    if issubclass(kind.base, Generator):
        head += _generator_attributes(script)
    sends = f"mn.ForwardOptions({', '.join(map(literal, taken))})"
    models = f"{names.camel}Models"
    models = annotated("models", [models, sends], depth=2) if taken else f"        models: {models}"
    fields = [models, *_sample_picture(script, found), *_own(script, found)]
    return "\n".join([*head, "", f"    class Inputs(mn.{kind.base.Inputs.__name__}):", *fields])


def _generator_attributes(script: Script) -> Iterator[str]:
    lacking = sorted(sent_by(script.kind.base.Inputs) - script.options.keys())
    if "latent_path" not in script.options:
        lacking.append("latent")
    if lacking:
        yield f"    lacks = frozenset({{{', '.join(map(literal, lacking))}}})"
    if f"{'image' if issubclass(script.kind.base, ImageGenerator) else 'video'}_size" not in script.options:
        yield '    size_option = ""'
    if (lines := _prompt_line(script)) is not None:
        rows = [f"{literal(name)}: {literal(option)}" for name, option in lines.items()]
        yield spread("prompt_line = {", rows, depth=1) if rows else "    prompt_line = {}"


def _prompt_line(script: Script) -> Mapping[str, str] | None:
    """Return the options of a prompt line, ``None`` if they are the base's."""
    pictures = {field for option, field in PICTURES.items() if option in script.options}
    has = pictures.union(script.kind.base.Inputs.model_fields, map(field_name, script.options.values()))
    own = {name: option for name, option in PROMPT_LINE.items() if PROMPT_FIELDS[name] in has}
    read = {name: option for name, option in own.items() if option in script.lines and "from_file" in script.options}
    first = getattr(script.kind.base, "prompt_line", {})
    base = {name: option for name, option in first.items() if name in own}
    return None if read == base else read


def _sample_picture(script: Script, found: Found) -> Iterator[str]:
    if issubclass(script.kind.base, LoRATrainer) and _control_pictures(found.of(Generator)):
        yield "        sample_control_image: mn.SampleControl = None"


def _own(script: Script, found: Found) -> Iterator[str]:
    """Yield the fields that neither base, models nor settings bring."""
    narrower = _narrower(script)
    taken = script.kind.taken.union(model_fields(found)) - narrower
    for spec in script.options.values():
        if spec.name in taken or model_folder(spec):
            continue
        if field := media(spec, 2) if issubclass(script.kind.base, Generator) else "":
            yield field
        elif spec.name in SIDES and spec.name in script.kind.base.Inputs.model_fields:
            yield side(spec.name, spec.default or SIDES[spec.name], 2)
        elif spec.name in narrower:
            yield _narrowed(spec)
        elif not refusal(spec) and not FP8_TEXT.fullmatch(spec.name):
            several = f"        # --{spec.name} takes several values: send it from computed_options()"
            yield several if spec.is_list else declared(spec, 2)


def _narrower(script: Script) -> set[str]:
    """Return options that the script gives fewer choices than the base."""
    specs = ((spec, script.options.get(spec.name)) for spec in fields_of(script.kind.base.Inputs) if spec.choices)
    return {spec.name for spec, found in specs if found and found.choices and set(spec.choices) - set(found.choices)}


def _narrowed(spec: OptionSpec) -> str:
    """Return the base's field with the script's own choices."""
    first = spec.default if spec.default in spec.choices else spec.choices[0]
    parts = [choices(spec.choices), "mn.Option()", "mn.Widget(last=1)"]
    return annotated(spec.name, parts, [literal(first), 'description="What is written."'], 2)


_HEAD = '''"""{title}'s family and nodes, proposed from {found.prefix}_*.py of musubi-tuner {found.version}.

Names, types, choices and defaults are the scripts' own; ranges and missing descriptions are guesses.
"""

from __future__ import annotations

from typing import {typing}

from pydantic import Field

from musubi_nodes import families as mn

'''
