"""What ComfyUI remembers of a node is only worth something while the files behind it are there."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from musubi_nodes.families.context import Context
from musubi_nodes.files import FileStamp

State = tuple[Callable[[], str], str]
"""How to look at very many files, and what the look told when they were made."""


@dataclass
class TrackedOutputs:
    """What the outputs of a node stand for: the files that it made, and those that it read."""

    files: dict[Path, FileStamp] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    complete: bool = True

    def there(self) -> bool:
        """Whether all of it is as it was."""
        return self.complete and not _gone(self.files) and all(look() == state for look, state in self.states)


class OutputTracker:
    """The files behind the outputs that ComfyUI holds in its memory; like that memory, it ends with the process."""

    def __init__(self) -> None:
        self._made: dict[str, TrackedOutputs] = {}
        self._rounds: Counter[str] = Counter()
        self._asked: set[str] = set()

    def keep(self, node_id: str, context: Context, read: Mapping[Path, FileStamp] | None = None) -> None:
        """Remember what an execution of a node made, and the :func:`stamps` of what it ``read``.

        A node that gets a list is executed several times in a round.
        """
        if node_id in self._asked:
            self._asked.discard(node_id)
            self._made.pop(node_id, None)
        made = self._made.setdefault(node_id, TrackedOutputs())
        made.files |= {**(read or {}), **stamps(context.files)}
        made.states += context.states
        made.complete = made.complete and context.complete

    def round(self, node_id: str) -> str:
        """A part of the cache key that changes when the node must run again: files are gone or changed,
        or it was stopped early.

        It stays as it is afterwards, so that an unchanged graph is not run a second time.
        """
        self._asked.add(node_id)
        if node_id in self._made and not self._made[node_id].there():
            self._rounds[node_id] += 1
            del self._made[node_id]
        return f"{self._rounds[node_id]} " if node_id in self._rounds else ""


def _gone(files: Mapping[Path, FileStamp]) -> bool:
    """Whether one is missing or is another file now."""
    return bool(files) and stamps(files) != files


def stamps(files: Iterable[Path]) -> dict[Path, FileStamp]:
    """Of those that are there."""
    found = {}
    for file in files:
        with contextlib.suppress(OSError):
            found[file] = FileStamp.of(file.stat())
    return found
