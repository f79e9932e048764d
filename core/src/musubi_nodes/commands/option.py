"""Marks a field of a declaration as an option of musubi-tuner, and collects the options of a filled-in declaration."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate

M = TypeVar("M")


@dataclass(frozen=True)
class Option:
    """The field is sent as ``--<name>``; without a name, as ``--<field>``."""

    name: str = ""


@dataclass(frozen=True)
class Argument:
    """One option with its value, and the part of the workflow that owns it (for messages)."""

    name: str
    value: Any
    owner: str = ""


def marker(field: FieldInfo, kind: type[M]) -> M | None:
    """The first object of type ``kind`` in the field's ``Annotated`` metadata."""
    return next((m for m in field.metadata if isinstance(m, kind)), None)


def arguments_of(model: BaseModel, owner: str, only: Container[str] | None = None) -> Iterator[Argument]:
    """The options among the fields of ``model``, in their order; ``only`` limits them to some fields."""
    for name, field in type(model).model_fields.items():
        option = marker(field, Option)
        if option and (only is None or name in only):
            yield Argument(option.name or name, getattr(model, name), owner)


def arguments_from(values: Mapping[str, Any], owner: str) -> Iterator[Argument]:
    """The same for values by option name; an :class:`Argument` among them has an owner of its own."""
    return (each if isinstance(each, Argument) else Argument(name, each, owner) for name, each in values.items())


def is_sent(value: Any) -> bool:
    """``None``, ``False``, ``""`` and an empty list mean "leave it to musubi-tuner"."""
    return not (value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value))


def merged(arguments: Iterable[Argument]) -> list[Argument]:
    """The arguments that are sent; one that two owners set to different values is an error."""
    found: dict[str, Argument] = {}
    for argument in arguments:
        if not is_sent(argument.value):
            continue
        first = found.setdefault(argument.name, argument)
        if first.value != argument.value:
            raise MusubiError(
                "option-set-twice",
                f"--{argument.name} is set twice: by {first.owner} and by {argument.owner}",
                fix=translate("Remove it from {owner}.", owner=argument.owner),
            )
    return list(found.values())
