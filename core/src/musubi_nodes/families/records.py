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
        """The files of an item, if all are still there; another file that took the name since is none of them."""
        try:
            stamps = dict(json.loads((self._folder / f"{key}.json").read_text("utf-8"))["files"])
            files = {self._output / name: known for name, known in stamps.items()}
            same = all(stamp(file) == known for file, known in files.items())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Made.of(files) if files and same else None

    def keep(self, key: str, made: Made) -> None:
        """Remember an item."""
        files = {path.relative_to(self._output).as_posix(): stamp(path) for path in made.files()}
        write_json(self._folder / f"{key}.json", {"files": files})


SAME_PICTURES = frozenset({"device", "filename_prefix", "memory", "install"})
"""Inputs that change no picture by themselves; what of a memory plan does is among the options."""


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
    try:
        return stamp(path) if path.is_absolute() and path.is_file() else ""
    except (OSError, ValueError):  # a long prompt that begins with "/" is no path
        return ""


def _facts(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, BaseModel):
        for name in sorted(type(value).model_fields.keys() - SAME_PICTURES):
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
