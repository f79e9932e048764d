"""Checks of node declarations, each relying on those before it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from musubi_nodes.commands.option import Option, marker
from musubi_nodes.commands.option_owners import names_file
from musubi_nodes.commands.tables import OptionSpec
from musubi_nodes.errors import InvalidValue, Problem, did_you_mean
from musubi_nodes.families.caches.node import CacheInputs, CacheNode, LatentCache, LatentCacheInputs
from musubi_nodes.families.family import Family
from musubi_nodes.families.family_node import FamilyNode
from musubi_nodes.families.fields import FieldSpec, fields_of, socket_class, without_none
from musubi_nodes.families.forward_options import ForwardOptions
from musubi_nodes.families.generating.generator import Generator, ImageGenerator, VideoGenerator
from musubi_nodes.families.generating.inputs import GeneratorInputs, ImageGeneratorInputs, VideoGeneratorInputs
from musubi_nodes.families.models.node import Models, ModelsNode
from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.tool import ToolInputs, ToolNode
from musubi_nodes.families.training.fine_tuner import FineTuner, FineTunerInputs
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.lora_trainer import LoRATrainer, LoRATrainerInputs
from musubi_nodes.families.training.trainer import Trainer
from musubi_nodes.plugins.declared_names import (
    misspelt_models,
    single_options,
    unknown_attributes,
    unknown_names,
    unknown_script,
)

NodeClass = type[Node]
Is = Callable[[Any], bool]
Taken = tuple[str, "type[BaseModel] | None", tuple[str, ...]]
"""Where a socket is used, its class, and the wanted fields (none: all)."""


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _a(kind: type) -> Is:
    return lambda value: isinstance(value, type) and issubclass(value, kind)


Rows = tuple[tuple[type, str, Is, str], ...]
"""Base, attribute, check, and example."""

DOCSTRINGS = sys.flags.optimize < 2
"""False with ``python -OO``, which removes them."""

ATTRIBUTES: Rows = (
    (Node, "title", _text, 'title = "My Node"'),
    (Node, "category", _text, 'category = "MusubiTuner/My Group"'),
    *(((Node, "__doc__", _text, "a docstring under its class line: the node's description"),) if DOCSTRINGS else ()),
    (ModelsNode, "models", _a(Models), "models = MyModels, a subclass of Models"),
    (ScriptNode, "family", lambda value: isinstance(value, Family), "family = MY_FAMILY, the plugin's Family"),
    (ScriptNode, "script", _text, 'script = "my_script.py", a script of musubi-tuner'),
)

PORTS: Rows = (
    (Node, "Inputs", _a(BaseModel), "class Inputs(NodeInputs)"),
    (ToolNode, "Inputs", _a(ToolInputs), "class Inputs(ToolInputs)"),
    (FamilyNode, "Inputs", _a(ScriptInputs), "class Inputs(ScriptInputs)"),
    (CacheNode, "Inputs", _a(CacheInputs), "class Inputs(CacheInputs)"),
    (LatentCache, "Inputs", _a(LatentCacheInputs), "class Inputs(LatentCacheInputs)"),
    (Trainer, "Inputs", _a(TrainerInputs), "class Inputs(TrainerInputs)"),
    (LoRATrainer, "Inputs", _a(LoRATrainerInputs), "class Inputs(LoRATrainerInputs)"),
    (FineTuner, "Inputs", _a(FineTunerInputs), "class Inputs(FineTunerInputs)"),
    (Generator, "Inputs", _a(GeneratorInputs), "class Inputs(GeneratorInputs)"),
    (ImageGenerator, "Inputs", _a(ImageGeneratorInputs), "class Inputs(ImageGeneratorInputs)"),
    (VideoGenerator, "Inputs", _a(VideoGeneratorInputs), "class Inputs(VideoGeneratorInputs)"),
    (Node, "Outputs", _a(BaseModel), "class Outputs(NodeOutputs)"),
)
"""Nested classes; models nodes and caches derive some of them."""

INPUTS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (CacheNode, ("models",)),
    (Trainer, ("models",)),
    (Generator, ("models",)),
)
"""Inputs that a base reads and the family declares."""


@cache
def problems_of(node: NodeClass) -> tuple[Problem, ...]:
    return next((found for check in CHECKS if (found := tuple(check(node)))), ())


def _attributes(rows: Rows, node: NodeClass) -> Iterator[Problem]:
    wrong = {  # the last row about an attribute, of the most specific base, wins
        name: f"{'docstring' if name == '__doc__' else name} is missing or wrong: write {example}"
        for base, name, is_right, example in rows
        if issubclass(node, base) and not is_right(getattr(node, name, None))
    }
    yield from (Problem("attribute-invalid", text) for text in wrong.values())


def _sockets(node: NodeClass) -> Iterator[Problem]:
    for name, field in _all_fields(node):
        kind = socket_class(field.annotation)
        if kind and not _text(getattr(kind, "socket", None)):
            text = f'field {name}: {kind.__name__} has no socket type: write socket = "MUSUBI_..." in it'
            yield Problem("socket-type-missing", text)


def _widgets(node: NodeClass) -> Iterator[Problem]:
    try:
        node.fields()
        node.outputs()
    except (AttributeError, TypeError, ValueError) as error:
        yield Problem(error.code if isinstance(error, InvalidValue) else "field-invalid", str(error))


def _choices(node: NodeClass) -> Iterator[Problem]:
    """Refuse literals that aren't strings: a canvas sends strings."""
    for name, field in node.Inputs.model_fields.items():
        if any(not isinstance(choice, str) for choice in _literal(field)):
            yield Problem("choices-not-text", f"field {name}: the choices of a Literal must be texts")


def _defaults(node: NodeClass) -> Iterator[Problem]:
    """Check defaults, which pydantic doesn't validate."""
    for spec in node.fields():
        if not spec.required and (possible := _contradiction(spec)):
            text = f"field {spec.name}: its default {spec.default!r} is not possible; it must {possible}"
            yield Problem("default-invalid", text)


def _descriptions(node: NodeClass) -> Iterator[Problem]:
    for spec in (*node.fields(), *node.outputs()):
        if not spec.description.strip():
            text = f'field {spec.name}: it has no description: write Field(..., description="...")'
            yield Problem("description-missing", text)


def _needed_inputs(node: NodeClass) -> Iterator[Problem]:
    for base, names in INPUTS:
        if issubclass(node, base):
            missing = [name for name in names if name not in node.Inputs.model_fields]
            yield from (
                Problem("field-missing", f"field {name} is missing: declare it with the family's own type")
                for name in missing
            )


def _taken(node: NodeClass) -> Iterator[Problem]:
    for name, kind, wanted in (*_takes(node), *_samples(node)):
        if kind is None:
            yield Problem("takes-not-a-socket", f"{name}: ForwardOptions is for a socket whose fields are options")
            continue
        options = [field for field, info in kind.model_fields.items() if marker(info, Option)]
        for field in wanted:
            if field not in kind.model_fields:
                yield Problem(
                    "field-unknown", f"{name}: {kind.__name__} has no field {field!r}{did_you_mean(field, options)}"
                )
            elif field not in options:
                yield Problem(
                    "field-not-an-option",
                    f"{name}: {field!r} of {kind.__name__} is no option: mark it there with Option()",
                )


def _one_owner(node: NodeClass) -> Iterator[Problem]:
    owners: dict[str, list[str]] = defaultdict(list)
    for option, owner in _options(node):
        owners[option].append(owner)
    for option, names in owners.items():
        if len(names) > 1:
            yield Problem(
                "option-set-twice", f"the option --{option} has {len(names)} owners, keep one: {', '.join(names)}"
            )


def _free_paths(node: NodeClass) -> Iterator[Problem]:
    """Refuse free text for a file: a workflow may come from a stranger."""
    specs = {f"field {spec.name}": spec for spec in node.fields()}
    for name, kind, _ in _takes(node):
        specs |= {f"{name}.{spec.name}": spec for spec in (fields_of(kind) if kind else ())}
    for option, owner in _options(node):
        spec = specs.get(owner)
        if spec and spec.kind in ("string", "input") and names_file(OptionSpec(option)):
            yield Problem("option-names-file", f"{owner}: --{option} names a file: mark it ModelFile, Picture or Clip")


CHECKS: tuple[Callable[[NodeClass], Iterator[Problem]], ...] = (
    unknown_attributes,
    partial(_attributes, ATTRIBUTES),
    partial(_attributes, PORTS),
    _sockets,
    _widgets,
    _choices,
    _defaults,
    _descriptions,
    _needed_inputs,
    _taken,
    _one_owner,
    _free_paths,
    misspelt_models,
    unknown_script,
    unknown_names,
    single_options,
)


def _all_fields(node: NodeClass) -> Iterator[tuple[str, FieldInfo]]:
    yield from node.Inputs.model_fields.items()
    yield from node.Outputs.model_fields.items()


def _literal(field: FieldInfo) -> tuple[Any, ...]:
    inner, _ = without_none(field.annotation)
    return get_args(inner) if get_origin(inner) is Literal else ()


def _contradiction(spec: FieldSpec) -> str:
    """Return the rule that the default breaks, if any."""
    if spec.default is None:
        wrong = not spec.optional and spec.kind != "socket"
    elif spec.kind == "choice":
        wrong = spec.default not in spec.choices
    else:
        wrong = spec.minimum is not None and not spec.minimum <= spec.default <= (spec.maximum or 0)
    if not wrong:
        return ""
    ranges = f"lie in {spec.minimum} to {spec.maximum}" if spec.minimum is not None else "be of the field's own type"
    return f"be one of {', '.join(spec.choices)}" if spec.choices else ranges


def _takes(node: NodeClass) -> Iterator[Taken]:
    for name, field in node.Inputs.model_fields.items():
        if takes := marker(field, ForwardOptions):
            yield f"field {name}", socket_class(field.annotation), takes.fields


def _samples(node: NodeClass) -> Iterator[Taken]:
    if issubclass(node, Trainer):
        yield "sample_models", socket_class(node.Inputs.model_fields["models"].annotation), node.sample_models


def _options(node: NodeClass) -> Iterator[tuple[str, str]]:
    yield from _options_of(node.Inputs, "field ")
    for name, kind, wanted in _takes(node):
        if kind:
            yield from _options_of(kind, f"{name}.", wanted)


def _options_of(model: type[BaseModel], owner: str, only: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        option = marker(field, Option)
        if option and (not only or name in only):
            yield option.name or name, f"{owner}{name}"
