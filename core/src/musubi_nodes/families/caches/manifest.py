"""What is noted beside caches: from what each was made, and with what all of them were."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.datasets.fingerprint import Source
from musubi_nodes.files import KEPT, read_json, write_text
from musubi_nodes.json_types import text, texts, texts_by_name, yes_or_no


class CachedItem(NamedTuple):
    """What is known of an item's caches: from what they are made, and the stamp of each file.

    Not ``finished``: a run was making them. A file that it has left whole is good then, and others may be missing.
    """

    source_hash: str
    files: dict[str, str]
    finished: bool


class BuildParams(NamedTuple):
    """From which ``sources`` of an item its caches are made, and what all are ``made`` with: options, models, code.

    ``last``: how the name of the tensor that is written last begins.
    """

    sources: frozenset[Source]
    made: str
    last: str = ""


def _made(source_hash: str, files: dict[str, str], finished: bool) -> CachedItem:
    """As it was read; TypeError where it is of another kind."""
    if not text(source_hash) or not texts_by_name(files) or not yes_or_no(finished):
        raise TypeError
    return CachedItem(source_hash, files, finished)


def _recipe(sources: list[Source], made: str, last: str = "") -> BuildParams:
    if not texts([*sources, made, last]):
        raise TypeError
    return BuildParams(frozenset(sources), made, last)


@dataclass(frozen=True)
class CacheManifest:
    """What is known of the caches in a folder: by stem of each item's, which run made them last, and how.

    ``media`` are the folders of the pictures or videos that they are of.

    They are kept beside them in a hidden file: it goes where they go, and nobody has to look for it.
    """

    items: dict[str, CachedItem] = field(default_factory=dict)
    run: str = ""
    params: BuildParams | None = None
    media: tuple[str, ...] = ()

    @staticmethod
    def file(folder: Path, ending: str) -> Path:
        """Where the notes of caches with this ``ending`` lie."""
        return folder / f".musubi-nodes{ending.removesuffix('.safetensors')}.json"

    @classmethod
    def read(cls, folder: Path, ending: str) -> CacheManifest:
        """Nothing is known where there are none that can be read."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = read_json(cls.file(folder, ending), KEPT)
            items = {stem: _made(*made) for stem, made in kept["items"].items()}
            params = _recipe(*kept["params"]) if kept.get("params") else None
            return cls(items, str(kept["run"]), params, tuple(map(str, kept.get("media", ()))))
        return cls()

    def write(self, folder: Path, ending: str) -> None:
        """Raises OSError."""
        params = [sorted(self.params.sources), *self.params[1:]] if self.params else None
        kept = {"run": self.run, "params": params, "media": self.media, "items": self.items}
        write_text(self.file(folder, ending), json.dumps(kept, separators=(",", ":")))
