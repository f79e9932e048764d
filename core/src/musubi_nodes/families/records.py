"""What was cached, trained or generated already: it is handed on, also after a restart, and a stopped batch goes on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.files import read_json, stamp, write_json
from musubi_nodes.runs.record.folder import runs_of

log = logging.getLogger("musubi_nodes")


class Records:
    """What a run made, by the key of what it was made from, in ``<output>/musubi/<kind>``."""

    def __init__(self, output: Path, kind: str) -> None:
        self._output, self._folder = output, output / "musubi" / kind

    def find(self, key: str) -> tuple[Path, ...]:
        """The files, if all are still there; another file that took the name since is none of them."""
        stamps = self._read(key).get("files") or {}
        try:
            files = {self._output / name: known for name, known in stamps.items()}
            return tuple(files) if all(stamp(file) == known for file, known in files.items()) else ()
        except OSError:
            return ()

    def holds(self, key: str, state: str) -> bool:
        """Whether a run made very many files, and they are as it left them."""
        return bool(state) and self._read(key).get("state") == state

    def run_of(self, key: str) -> Path:
        """The run folder that made them; it may be gone."""
        return runs_of(self._output) / str(self._read(key).get("run", ""))

    def keep(self, key: str, files: Iterable[Path], run: Path | None = None, state: str = "") -> None:
        """Remember what a run made: files, or the ``state`` of very many. Where that cannot be written, what was made
        is good all the same."""
        stamps = {self._name(path): stamp(path) for path in files}
        record = {"files": stamps, "state": state, "run": run.name if run else ""}
        try:
            write_json(self._folder / f"{key}.json", record)
        except OSError as error:
            log.warning("what was made cannot be remembered, so it will be made again next time: %s", error)

    def _read(self, key: str) -> dict[str, Any]:
        return read_json(self._folder / f"{key}.json")

    def _name(self, path: Path) -> str:
        inside = path.is_relative_to(self._output)
        return (path.relative_to(self._output) if inside else path.absolute()).as_posix()


SAME_RESULT = frozenset({"device", "filename_prefix", "memory", "install", "source", "train_again"})
"""Inputs that change nothing of what is made; what of a memory plan does is among the options."""


def key_of(words: Sequence[str], program: str, inputs: Any, files: Iterable[str] = ()) -> str:
    """Names a result by all that makes it: options, the program's state, the ``files`` among the options' values, and
    what comes in over sockets (files by size and time, pictures by their pixels)."""
    digest = hashlib.sha256()
    for fact in (program, *words, *map(_file, files), *_facts(inputs)):
        digest.update(fact if isinstance(fact, bytes) else fact.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def _file(value: str) -> str:
    path = Path(value)
    return stamp(path) if path.is_file() else ""


def _facts(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, BaseModel):
        for name in sorted(type(value).model_fields.keys() - SAME_RESULT):
            yield name
            yield from _facts(getattr(value, name))
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _facts(getattr(value, each.name))
    elif isinstance(value, tuple | list | frozenset):
        for item in sorted(value) if isinstance(value, frozenset) else value:
            yield from _facts(item)
    elif isinstance(value, Path):
        yield f"{value} {stamp(value) if value.is_file() else ''}"
    else:
        yield bytes(value.tobytes()) if hasattr(value, "tobytes") else repr(value)
