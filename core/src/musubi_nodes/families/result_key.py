"""Keys of results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from musubi_nodes.commands.option import NamesFile, Option, SameResult, marker
from musubi_nodes.families.recognition.parts import parts_of
from musubi_nodes.files import FileStamp


def key_of(*parts: Any) -> str:
    """Return a digest of options, inputs and code.

    Files count by stamp, arrays by dtype, shape and values.
    """
    digest = hashlib.sha256()
    for fact in facts(parts):
        data = fact if isinstance(fact, bytes) else fact.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:24]


def facts(value: Any) -> Iterator[str | bytes]:
    """Yield everything that distinguishes ``value``."""
    if isinstance(value, BaseModel):
        yield type(value).__name__
        for name, each in counted(value):
            yield name
            yield from facts(_by_file(type(value).model_fields[name], each))
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__
        for each in fields(value):
            yield from facts(getattr(value, each.name))
    elif isinstance(value, Mapping):
        yield from facts(sorted(value.items()))
    elif isinstance(value, frozenset | set):
        yield from facts(sorted(value))
    elif isinstance(value, tuple | list):
        yield f"{len(value)} values"
        for item in value:
            yield from facts(item)
    elif isinstance(value, Path):
        yield f"{value} {_file(value)}"
    elif hasattr(value, "__array__"):
        yield from _array(value)
    elif value is None or isinstance(value, str | bytes | int | float | Fraction):
        yield repr(value)
    else:
        raise TypeError(f"a result cannot be named by a {type(value).__name__}")


def counted(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Yield the fields that affect the result."""
    for name, field in sorted(type(model).model_fields.items()):
        if not marker(field, SameResult):
            yield name, getattr(model, name)


def _by_file(field: FieldInfo, value: Any) -> Any:
    """Return a path for a file's name; an option's file counts if it is sent."""
    if value is None or not marker(field, NamesFile):
        return value
    return None if marker(field, Option) else Path(value)


def named_files(model: BaseModel) -> Iterator[str]:
    """Yield the files that the fields of ``model`` and its sockets name."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from named_files(value)
        elif marker(field, NamesFile) and value:
            yield value


def _array(value: Any) -> Iterator[str | bytes]:
    import numpy as np

    array = np.asarray(value)
    yield f"{array.dtype.str} {array.shape}"
    yield array.tobytes()


def _file(path: Path) -> str:
    """Return stamps of a file and its other parts."""
    return " ".join(str(FileStamp.lasting(part)) for part in parts_of(path)) if path.is_file() else ""
