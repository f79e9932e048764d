"""Checks of names that would be wrong without an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import get_annotations
from typing import Any, NamedTuple

from musubi_nodes.commands.option import marker
from musubi_nodes.commands.tables import RELEASES, after_all_tables, first_release, scripts, table
from musubi_nodes.errors import Problem, did_you_mean
from musubi_nodes.families.caches.node import TextEncoderCache
from musubi_nodes.families.family import OptionMap
from musubi_nodes.families.fields import ForVersions, SamplePicture, fields_of, socket_class
from musubi_nodes.families.generating.generator import Generator
from musubi_nodes.families.generating.media_files import media_fields
from musubi_nodes.families.models.node import Models
from musubi_nodes.families.node import Node
from musubi_nodes.families.picture_count import PICTURE_KINDS
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.training.trainer import Trainer

NodeClass = type[Node]
CORE = "musubi_nodes."
NEAR = 0.75
"""How near to a base's name a models class's own name is a misspelling."""


class Named(NamedTuple):
    """Names at one place of a declaration, and those that are possible."""

    place: str
    names: Iterable[str]
    possible: Sequence[str]
    what: str


def unknown_attributes(node: NodeClass) -> Iterator[Problem]:
    for name, known in _own_names(node, Node):
        text = f"{name} is no attribute of {_base(node).__name__}{did_you_mean(name, known)}; begin your own with _"
        yield Problem("attribute-unknown", text)


def misspelt_models(node: NodeClass) -> Iterator[Problem]:
    for kind in filter(None, (socket_class(field.annotation) for field in node.Inputs.model_fields.values())):
        for name, known in _own_names(kind, Models):
            if near := get_close_matches(name, known, n=1, cutoff=NEAR):
                yield Problem("attribute-unknown", f"{kind.__name__}.{name} looks like {near[0]!r}: spell it so")


def unknown_script(node: NodeClass) -> Iterator[Problem]:
    if issubclass(node, ScriptNode) and not _is_known(node):
        near = did_you_mean(node.script, list(scripts()))
        yield Problem(
            "script-unknown",
            f"no release up to {RELEASES[-1]} has {node.script}{near}; if it is newer, write script_since = "
            '"the first release that has it"',
        )


def unknown_names(node: NodeClass) -> Iterator[Problem]:
    for base, named in NAMED:
        for place, names, possible, what in named(node) if issubclass(node, base) else ():
            for name in names:
                if name not in possible:
                    text = f"{place}: {str(name)!r} is no {what}{did_you_mean(str(name), list(map(str, possible)))}"
                    yield Problem("name-unknown", text)


def single_options(node: NodeClass) -> Iterator[Problem]:
    """Refuse several pictures for an option that takes one."""
    if not issubclass(node, ScriptNode):
        return
    for name, mark in media_fields(node.Inputs):
        spec = (table(node.script) or {}).get(mark.option)
        if spec and getattr(mark, "several", False) and not spec.is_list:
            yield Problem("option-takes-one", f"field {name}: --{mark.option} takes one file: leave several out")


def _of_script(node: Any) -> Iterator[Named]:
    yield _options(node, "refused_options", _own_items(node, "refused_options"))
    for name, mark in media_fields(node.Inputs):
        yield _options(node, f"field {name}", [mark.option])
    versions = list(node.family.versions)
    for name, field in node.Inputs.model_fields.items():
        if only := marker(field, ForVersions):
            yield Named(f"field {name}", only.names, versions, "version of the family")
    if versions and "models" in node.Inputs.model_fields:
        models: Any = socket_class(node.Inputs.model_fields["models"].annotation)
        choices = next((spec.choices for spec in fields_of(models) if spec.name == models.version_field), ())
        yield Named("versions of the family", versions, choices, f"choice of {models.__name__}.version_field")
    yield from _memory("vae_saving of the family", {name: {} for name in node.family.vae_saving})


def _of_text_cache(node: Any) -> Iterator[Named]:
    yield _options(node, "fp8_text_encoder of the family", filter(None, [node.family.fp8_text_encoder]))


def _of_trainer(node: Any) -> Iterator[Named]:
    yield _options(node, "training_defaults of the family", node.family.training_defaults)
    yield from _memory("trainer_options of the family", node.family.trainer_options)
    yield from _memory("trainer_split_attn of the family", {"attention": node.family.trainer_split_attn})
    plain = node.sample_pictures is Trainer.sample_pictures
    versions = (node.family.version(name) for name in ("", *node.family.versions))
    controls = ["control_image"] if any(each.control_images for each in versions) else []
    for name, field in node.Inputs.model_fields.items():
        if mark := marker(field, SamplePicture):
            possible = controls if plain else list(PICTURE_KINDS)
            yield Named(f"field {name}", [mark.stands_for], possible, "picture that a sample of this family takes")


def _of_generator(node: Any) -> Iterator[Named]:
    prompt, own = list(Prompt.model_fields), list(node.Inputs.model_fields)
    for place in ("prompt_fields", "prompt_line", "kept_by_text"):
        yield Named(place, _own_items(node, place), prompt, "field of a prompt")
    yield Named("prompt_fields", _own_items(node, "prompt_fields").values(), own, "field of this node")
    yield Named("prompt_inputs", node.prompt_inputs, own, "field of this node")
    base: Any = _base(node)
    ports = [*base.Inputs.model_fields, *base.Outputs.model_fields]
    yield Named("lacks", node.lacks, ports, f"input or output of {base.__name__}")
    yield Named("ignores of the family", node.family.ignores, prompt, "field of a prompt")
    yield _options(node, "size_option", filter(None, [node.size_option]))
    yield from _memory("generator_options of the family", node.family.generator_options)
    yield from _memory("generator_split_attn of the family", {"attention": node.family.generator_split_attn})


NAMED: tuple[tuple[NodeClass, Callable[[Any], Iterator[Named]]], ...] = (
    (ScriptNode, _of_script),
    (TextEncoderCache, _of_text_cache),
    (Trainer, _of_trainer),
    (Generator, _of_generator),
)


def _memory(place: str, options: OptionMap | Mapping[str, Mapping[str, Any]]) -> Iterator[Named]:
    specs = {spec.name: spec for spec in fields_of(Memory)}
    yield Named(place, options, list(specs), "field of the memory settings")
    for name, values in options.items():
        if choices := specs[name].choices if name in specs else ():
            yield Named(place, map(str, values), choices, f"choice of {name}")


def _options(node: Any, place: str, names: Iterable[str]) -> Named:
    """All options of newer scripts than the tables are possible."""
    names = list(names)
    known = table(node.script) or {}
    older = (name for name in names if name not in known)
    older = older if after_all_tables(node.script_since) else (n for n in older if first_release(node.script, n))
    return Named(place, names, [*known, *older], f"option of {node.script}")


def _own_items(node: Any, name: str) -> dict[str, str]:
    """Return what the plugin adds to the core's value."""
    value, first = getattr(node, name), getattr(_base(node), name)
    items = value if isinstance(value, Mapping) else dict.fromkeys(value, "")
    return {key: item for key, item in items.items() if key not in first or (items is value and first[key] != item)}


def _is_known(node: type[ScriptNode]) -> bool:
    return after_all_tables(node.script_since) or any(table(node.script, release) for release in reversed(RELEASES))


def _base(node: type) -> type:
    return next(base for base in node.__mro__ if base.__module__.startswith(CORE))


def _own_names(kind: type, above: type) -> Iterator[tuple[str, list[str]]]:
    """Yield public names that only the plugin knows, with its bases'."""
    own = [each for each in kind.__mro__ if issubclass(each, above) and not each.__module__.startswith(CORE)]
    bases = [each for each in kind.__mro__ if each.__module__.startswith(CORE)]
    known = {name for each in bases for name in (*vars(each), *get_annotations(each)) if not name.startswith("_")}
    fields = getattr(kind, "model_fields", {})
    for name in dict.fromkeys(name for each in own for name in vars(each)):
        if not name.startswith("_") and name not in known and name not in fields:
            yield name, sorted(known)
