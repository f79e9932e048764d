"""Manifest beside caches: their sources and parameters."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.datasets.scan.fingerprint import Source
from musubi_nodes.files import KEPT, read_json, write_text
from musubi_nodes.json_types import text, texts, texts_by_name, yes_or_no


class CachedItem(NamedTuple):
    """Stamps of an item's caches, complete if ``finished``."""

    source_hash: str
    files: dict[str, str]
    finished: bool


class BuildParams(NamedTuple):
    """What a folder's source hashes contain besides the items, so that *Dataset Viewer* can compute them.

    ``build_key``: the plan's key, of options, models and code. ``last``: prefix of the tensor written last;
    ``may_be_zero``: part of tensors' names.
    """

    sources: frozenset[Source]
    build_key: str
    last: str = ""
    may_be_zero: str = ""


def _item(source_hash: str, files: dict[str, str], finished: bool) -> CachedItem:
    if not text(source_hash) or not texts_by_name(files) or not yes_or_no(finished):
        raise TypeError
    return CachedItem(source_hash, files, finished)


def _params(sources: list[Source], build_key: str, *names: str) -> BuildParams:
    if not texts([*sources, build_key, *names]):
        raise TypeError
    return BuildParams(frozenset(sources), build_key, *names)


@dataclass(frozen=True)
class CacheManifest:
    """A folder's caches by stem, in a hidden file beside them.

    ``run`` wrote them last; ``media`` are the folders of their items.
    """

    items: dict[str, CachedItem] = field(default_factory=dict)
    run: str = ""
    params: BuildParams | None = None
    media: tuple[str, ...] = ()

    @staticmethod
    def file(folder: Path, ending: str) -> Path:
        return folder / f".musubi-nodes{ending.removesuffix('.safetensors')}.json"

    @classmethod
    def read(cls, folder: Path, ending: str) -> CacheManifest:
        """Read a manifest; empty if missing or invalid."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = read_json(cls.file(folder, ending), KEPT)
            items = {stem: _item(*made) for stem, made in kept["items"].items()}
            params = _params(*kept["params"]) if kept.get("params") else None
            return cls(items, str(kept["run"]), params, tuple(map(str, kept.get("media", ()))))
        return cls()

    def write(self, folder: Path, ending: str) -> None:
        params = [sorted(self.params.sources), *self.params[1:]] if self.params else None
        kept = {"run": self.run, "params": params, "media": self.media, "items": self.items}
        write_text(self.file(folder, ending), json.dumps(kept, separators=(",", ":")))
