"""State of a batch: waiting, made and failed prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from musubi_nodes.errors import MusubiError, OutOfGpuMemory, OutOfMainMemory
from musubi_nodes.families.generating.batching import Item, by_size
from musubi_nodes.families.generating.generated_files import GeneratedFiles
from musubi_nodes.families.prompts import Prompts
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.i18n import translate


@dataclass
class Batch:
    """A running batch; each worker takes groups from it in its own thread."""

    prompts: Prompts
    store: ResultStore
    made: dict[int, GeneratedFiles] = field(default_factory=dict)
    waiting: deque[list[Item]] = field(default_factory=deque)
    failed: dict[int, tuple[Item, MusubiError]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def left(self, items: Iterable[Item]) -> list[Item]:
        """Return the items that are not made yet."""
        return [item for item in items if item.number not in self.made]

    def take(self) -> list[Item]:
        """Return the next group, [] if none waits."""
        with self._lock:
            return self.waiting.popleft() if self.waiting else []

    def keep(self, item: Item, made: GeneratedFiles) -> None:
        """Store a prompt's files under its result key."""
        with self._lock:
            self.made[item.number] = made
            self.store.keep(item.key, made.files())

    def settle(self, group: Sequence[Item], error: MusubiError | None) -> None:
        """Requeue what an invocation didn't make in smaller groups, or mark it as failed."""
        left = self.left(group)
        again = smaller(group, left, error)
        with self._lock:
            self.waiting.extendleft(reversed(again))
            if not again:
                self._fail(left, error or MusubiError("output-missing", "musubi-tuner wrote nothing for it"))

    def _fail(self, items: Sequence[Item], error: MusubiError) -> None:
        self.failed |= {item.number: (item, error) for item in items}
        if items and self.prompts.strict:
            self.waiting.clear()

    def results(self) -> list[GeneratedFiles]:
        """Return the files in the prompts' order; raise if all failed, or one if strict."""
        if self.failed and (self.prompts.strict or not self.made):
            _, error = list(self.failed.values())[-1]
            raise error
        return [self.made[number] for number in sorted(self.made)]

    def report(self, seconds: float, before: int) -> str:
        """Return counts, and the reasons of failures, each once."""
        reasons: dict[str, list[Item]] = {}
        for _, (item, error) in sorted(self.failed.items()):
            reasons.setdefault(error.what, []).append(item)
        counted = {"count": len(self.made), "all": len(self.prompts.items), "seconds": seconds}
        lines = [translate("{count} of {all} prompts made in {seconds:.0f} s", **counted)]
        if before:
            lines[0] += translate(", {count} of them before", count=before)
        return "\n".join([*lines, *(f"{_names(items)}: {what}" for what, items in reasons.items())])


def smaller(group: Sequence[Item], left: Sequence[Item], error: MusubiError | None) -> list[list[Item]]:
    """Return the groups to retry: by size after "out of memory", else prompt by prompt.

    A prompt alone needs as much memory as in a group of its size.
    """
    if isinstance(error, OutOfGpuMemory | OutOfMainMemory):
        parts = by_size(left)
        return parts if len(parts) > 1 else []
    return [[item] for item in left] if len(group) > 1 else []


def _names(items: Sequence[Item]) -> str:
    if len(items) == 1:
        return items[0].name
    return translate("prompts {numbers}", numbers=", ".join(str(item.number) for item in items))
