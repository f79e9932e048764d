"""What is noted beside caches: from what each was made, and with what all of them were."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.datasets.fingerprint import Source
from musubi_nodes.files import KEPT, read_json, write_text
from musubi_nodes.kinds import text, texts, texts_by_name, yes_or_no


class Made(NamedTuple):
    """What is known of an item's caches: from what they are made, and the stamp of each file.

    Not ``finished``: a run was making them. A file that it has left whole is good then, and others may be missing.
    """

    origin: str
    files: dict[str, str]
    finished: bool


class Recipe(NamedTuple):
    """From which ``sources`` of an item its caches are made, and what all are ``made`` with: options, models, code.

    ``last``: how the name of the tensor that is written last begins.
    """

    sources: frozenset[Source]
    made: str
    last: str = ""


def _made(origin: str, files: dict[str, str], finished: bool) -> Made:
    """As it was read; TypeError where it is of another kind."""
    if not text(origin) or not texts_by_name(files) or not yes_or_no(finished):
        raise TypeError
    return Made(origin, files, finished)


def _recipe(sources: list[Source], made: str, last: str = "") -> Recipe:
    if not texts([*sources, made, last]):
        raise TypeError
    return Recipe(frozenset(sources), made, last)


@dataclass(frozen=True)
class Notes:
    """What is known of the caches in a folder: by stem of each item's, which run made them last, and how.

    ``media`` are the folders of the pictures or videos that they are of.

    They are kept beside them in a hidden file: it goes where they go, and nobody has to look for it.
    """

    items: dict[str, Made] = field(default_factory=dict)
    run: str = ""
    recipe: Recipe | None = None
    media: tuple[str, ...] = ()

    @staticmethod
    def file(folder: Path, ending: str) -> Path:
        """Where the notes of caches with this ``ending`` lie."""
        return folder / f".musubi-nodes{ending.removesuffix('.safetensors')}.json"

    @classmethod
    def read(cls, folder: Path, ending: str) -> Notes:
        """Nothing is known where there are none that can be read."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = read_json(cls.file(folder, ending), KEPT)
            items = {stem: _made(*made) for stem, made in kept["items"].items()}
            recipe = _recipe(*kept["recipe"]) if kept.get("recipe") else None
            return cls(items, str(kept["run"]), recipe, tuple(map(str, kept.get("media", ()))))
        return cls()

    def write(self, folder: Path, ending: str) -> None:
        """Raises OSError."""
        recipe = [sorted(self.recipe.sources), *self.recipe[1:]] if self.recipe else None
        kept = {"run": self.run, "recipe": recipe, "media": self.media, "items": self.items}
        write_text(self.file(folder, ending), json.dumps(kept, separators=(",", ":")))
