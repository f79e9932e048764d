"""State of the files and the install behind a node's inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.commands.code import checkout_state
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.input_files import find_input
from musubi_nodes.families.models.files import find_model
from musubi_nodes.families.node import Node
from musubi_nodes.families.recognition.parts import parts_of
from musubi_nodes.files import FileStamp
from musubi_nodes.runs.install import Install


def input_state(node: type[Node], values: Mapping[str, Any], context: Context) -> str:
    """Return a text that changes with files and install."""
    return " ".join(_state(node, spec, values, context) for spec in node.fields() if spec.name in values)


def input_files_of(node: type[Node], inputs: BaseModel, context: Context) -> Iterator[Path]:
    values = dict(inputs)
    for spec in node.fields():
        if spec.kind == "socket":
            yield from _paths(values[spec.name])
        else:
            yield from _named(node, spec, values, context)


def _state(node: type[Node], spec: FieldSpec, values: Mapping[str, Any], context: Context) -> str:
    try:
        if spec.kind == "install" and isinstance(values[spec.name], str | None):
            return checkout_state(context.services.install(values[spec.name]))
        return " ".join(str(FileStamp.of(path)) for path in _named(node, spec, values, context))
    except (MusubiError, OSError) as error:
        return str(error)


def _named(node: type[Node], spec: FieldSpec, values: Mapping[str, Any], context: Context) -> tuple[Path, ...]:
    value = values[spec.name]
    if not isinstance(value, str) or spec.kind not in ("model", "input"):
        return ()
    if spec.kind == "input":
        return (find_input(context, spec.input_kind, value),)
    return parts_of(find_model(context.host, spec.model_kind, value, _install(node, values, context)))


def _install(node: type[Node], values: Mapping[str, Any], context: Context) -> Install | None:
    """Return the install, which may have its own models."""
    for spec in node.fields():
        name = values.get(spec.name)
        if spec.kind == "install" and isinstance(name, str | None):
            with suppress(MusubiError):
                return context.services.install(name)
    return None


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        if value.is_file():
            yield value
    elif isinstance(value, BaseModel):
        for _, each in value:
            yield from _paths(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _paths(getattr(value, part.name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _paths(each)
