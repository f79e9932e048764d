"""Marker for fields that are musubi-tuner options."""

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
    """Sends the field as ``--<name>``, by default the field's name."""

    name: str = ""


class NamesFile:
    """Base of marks of fields that name a file."""


@dataclass(frozen=True)
class SameResult:
    """The field doesn't affect the result: speed, logs, places, and what other fields say."""


@dataclass(frozen=True)
class Argument:
    """An option with its value; ``owner`` is for messages.

    A file is a ``Path``. ``same_result``: see :class:`SameResult`.
    """

    name: str
    value: Any
    owner: str = ""
    same_result: bool = False


def marker(field: FieldInfo, kind: type[M]) -> M | None:
    """Return the first ``kind`` in the field's ``Annotated`` metadata."""
    return next((m for m in field.metadata if isinstance(m, kind)), None)


def arguments_of(model: BaseModel, owner: str, only: Container[str] | None = None) -> Iterator[Argument]:
    """Yield the options of ``model``, or of the fields ``only``."""
    for name, field in type(model).model_fields.items():
        option = marker(field, Option)
        if option and (only is None or name in only):
            yield Argument(option.name or name, getattr(model, name), owner, bool(marker(field, SameResult)))


def arguments_from(
    values: Mapping[str, object], owner: str, declared: type[BaseModel] | None = None
) -> Iterator[Argument]:
    """Yield computed options; fields of the same name in ``declared`` say whether they affect the result."""
    fields = declared.model_fields if declared else {}
    for name, value in values.items():
        same = name in fields and marker(fields[name], SameResult) is not None
        yield value if isinstance(value, Argument) else Argument(name, value, owner, same)


def is_sent(value: object) -> bool:
    """Whether it is sent: empty values are left to musubi-tuner."""
    return not (value is None or value is False or value == "" or (isinstance(value, list | tuple) and not value))


def merged(arguments: Iterable[Argument]) -> list[Argument]:
    """Return the sent arguments; two different values are an error."""
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
