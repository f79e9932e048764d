"""What was generated already: it is handed on, also after a restart, and a stopped batch goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.families.made import Made
from musubi_nodes.families.model_files import stamp
from musubi_nodes.files import write_json


class Records:
    """What each prompt became, by its key, in ``<output>/musubi/generated``."""

    def __init__(self, output: Path) -> None:
        self._output, self._folder = output, output / "musubi" / "generated"

    def find(self, key: str) -> Made | None:
        """The files of an item, if all are still there."""
        try:
            names = json.loads((self._folder / f"{key}.json").read_text("utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        files = [self._output / name for name in names]
        return Made.of(files) if files and all(file.is_file() for file in files) else None

    def keep(self, key: str, made: Made) -> None:
        """Remember an item."""
        write_json(self._folder / f"{key}.json", {"files": [p.relative_to(self._output) for p in made.files()]})


def key_of(words: Sequence[str], program: str, inputs: BaseModel) -> str:
    """Names a generation by all that makes it: options, the program's state, and what comes in over sockets (files by
    size and time, pictures by their pixels)."""
    digest = hashlib.sha256()
    for fact in (program, *words, *map(_file, words), *_facts(inputs)):
        digest.update(fact if isinstance(fact, bytes) else fact.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def _file(word: str) -> str:
    path = Path(word.partition("=")[2] if word.startswith("--") else word)
    return stamp(path) if path.is_absolute() and path.is_file() else ""


def _facts(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield name
            yield from _facts(getattr(value, name))
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _facts(getattr(value, each.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _facts(item)
    elif isinstance(value, Path):
        yield f"{value} {stamp(value) if value.is_file() else ''}"
    else:
        yield bytes(value.tobytes()) if hasattr(value, "tobytes") else repr(value)
