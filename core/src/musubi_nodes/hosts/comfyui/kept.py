"""What ComfyUI remembers of a node is only worth something while the files behind it are there."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from musubi_nodes.families.context import Context


class Kept:
    """The files behind the outputs that ComfyUI holds in its memory; like that memory, it ends with the process."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[Path, ...]] = {}
        self._complete: dict[str, bool] = {}
        self._rounds: dict[str, int] = {}

    def keep(self, node_id: str, context: Context) -> None:
        """Remember what an execution of a node made."""
        self._files[node_id], self._complete[node_id] = tuple(context.files), context.complete

    def round(self, node_id: str) -> str:
        """A part of the cache key that changes when the node must run again: files are gone, or it was stopped early.

        It stays as it is afterwards, so that an unchanged graph is not run a second time.
        """
        if not self._complete.get(node_id, True) or _gone(self._files.get(node_id, ())):
            self._rounds[node_id] = self._rounds.get(node_id, 0) + 1
            self._files.pop(node_id), self._complete.pop(node_id)
        return f"{self._rounds[node_id]} " if node_id in self._rounds else ""


def _gone(files: Iterable[Path]) -> bool:
    """Whether one is missing; each folder is listed once, for caches of a hundred thousand files."""
    names: defaultdict[Path, set[str]] = defaultdict(set)
    for file in files:
        names[file.parent].add(file.name)
    return any(not wanted <= _listed(folder) for folder, wanted in names.items())


def _listed(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError:
        return set()
