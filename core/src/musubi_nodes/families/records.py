"""What is made already: a batch that was stopped goes on where it was, also after a restart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from musubi_nodes.families.made import Made
from musubi_nodes.files import write_json


class Records:
    """What each prompt became, by its key, in ``<output>/musubi/batches``."""

    def __init__(self, output: Path) -> None:
        self._output, self._folder = output, output / "musubi" / "batches"

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


def key_of(words: Sequence[str], version: str, inputs: BaseModel) -> str:
    """Names a prompt by all that makes its video: options, version, files (by size and time), pictures."""
    digest = hashlib.sha256(json.dumps([version, *words]).encode())
    for word in words:
        path = Path(word.partition("=")[2] if word.startswith("--") else word)
        if path.is_absolute() and path.is_file():
            digest.update(f"{path.stat().st_size}-{path.stat().st_mtime_ns}".encode())
    for name in type(inputs).model_fields:
        value = getattr(inputs, name)
        if hasattr(value, "tobytes"):
            digest.update(name.encode() + value.tobytes())
        elif hasattr(value, "paths") or hasattr(value, "path"):
            digest.update(f"{name}{value}".encode())
    return digest.hexdigest()[:24]
