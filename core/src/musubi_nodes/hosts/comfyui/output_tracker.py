"""Files behind the outputs that ComfyUI caches."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from musubi_nodes.families.context import Context
from musubi_nodes.files import FileStamp

State = tuple[Callable[[], str], str]
"""A function that describes many files, and its earlier result."""


@dataclass
class TrackedOutputs:
    """The files that a node read and wrote."""

    files: dict[Path, FileStamp] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    complete: bool = True

    def unchanged(self) -> bool:
        return self.complete and not _gone(self.files) and all(look() == state for look, state in self.states)


class OutputTracker:
    """Tracked outputs by node."""

    def __init__(self) -> None:
        self._outputs: dict[str, TrackedOutputs] = {}
        self._generations: Counter[str] = Counter()
        self._asked: set[str] = set()

    def record(self, node_id: str, context: Context, read: Mapping[Path, FileStamp] | None = None) -> None:
        """Add an execution's files; a list input executes several times."""
        if node_id in self._asked:
            self._asked.discard(node_id)
            self._outputs.pop(node_id, None)
        made = self._outputs.setdefault(node_id, TrackedOutputs())
        made.files |= {**(read or {}), **stamps(context.files)}
        made.states += context.states
        made.complete = made.complete and context.complete

    def generation(self, node_id: str) -> str:
        """Return a part of the cache key.

        It changes once when files are gone or changed, or the node was stopped early.
        """
        self._asked.add(node_id)
        if node_id in self._outputs and not self._outputs[node_id].unchanged():
            self._generations[node_id] += 1
            del self._outputs[node_id]
        return f"{self._generations[node_id]} " if node_id in self._generations else ""


def _gone(files: Mapping[Path, FileStamp]) -> bool:
    return bool(files) and stamps(files) != files


def stamps(files: Iterable[Path]) -> dict[Path, FileStamp]:
    found = {}
    for file in files:
        with contextlib.suppress(OSError):
            found[file] = FileStamp.of(file.stat())
    return found
