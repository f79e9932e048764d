"""Keys of results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.families.models.parts import parts_of
from musubi_nodes.files import FileStamp

SAME_RESULT = frozenset({"device", "filename_prefix", "memory", "install", "source", "train_again"})
"""Inputs that don't affect the result."""


def key_of(words: Sequence[str], program: str, inputs: Any, files: Iterable[str] = ()) -> str:
    """Return a digest of options, code, ``files`` and sockets.

    Files count by stamp, arrays by dtype, shape and values.
    """
    digest = hashlib.sha256()
    for fact in (program, *words, *(_file(Path(file)) for file in files), *facts(inputs)):
        data = fact if isinstance(fact, bytes) else fact.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:24]


def facts(value: Any) -> Iterator[str | bytes]:
    """Yield everything that distinguishes ``value``."""
    if isinstance(value, BaseModel):
        yield type(value).__name__
        for name in sorted(type(value).model_fields.keys() - SAME_RESULT):
            yield name
            yield from facts(getattr(value, name))
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


def _array(value: Any) -> Iterator[str | bytes]:
    import numpy as np

    array = np.asarray(value)
    yield f"{array.dtype.str} {array.shape}"
    yield array.tobytes()


def _file(path: Path) -> str:
    """Return stamps of a file and its other parts."""
    return " ".join(str(FileStamp.lasting(part)) for part in parts_of(path)) if path.is_file() else ""
