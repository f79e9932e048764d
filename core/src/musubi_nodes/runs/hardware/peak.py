"""Samples GPU and main memory of a run every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from musubi_nodes.log import log
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.hardware.cards import Card, cards
from musubi_nodes.runs.hardware.history import History
from musubi_nodes.runs.hardware.machine import machine
from musubi_nodes.runs.hardware.trees import tree
from musubi_nodes.runs.record.folder import RunFolder

SECONDS = 2.0
SHOWN = ("gpu_used", "gpu_total", "gpu_use")  # for the page while it runs


class Peak:
    """Peak ``bytes`` of a run, and its last :data:`SHOWN` figures."""

    def __init__(
        self,
        folder: RunFolder,
        environment: Mapping[str, str],
        library: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self.bytes: int | None = None
        self.gpu: Mapping[str, int | None] = {}
        self._folder, self._library = folder, library or gpu.nvml
        self._names = gpu.names_in(environment.get("CUDA_VISIBLE_DEVICES", ""))
        self._history = History(folder.resources)
        self._driver = True
        self._looked = False
        self._next = 0.0

    def look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        row: dict[str, Any] = {"time": round(time.time(), 1)}
        for measure in (self._machine, self._gpu):
            try:
                row |= measure()
            except Exception as error:  # a run must not fail because it can't be measured
                log.debug("not measured: %r", error)
        self._history.add(row)

    def _machine(self) -> dict[str, Any]:
        now = machine()
        cpu = {"cpu": now.cpu} if self._looked and now.cpu is not None else {}
        self._looked = True
        return {"ram_used": now.ram_used, "ram_total": now.ram_total, **cpu}

    def _gpu(self) -> dict[str, Any]:
        if not self._driver:
            return {}
        with self._library() as library:
            self._driver = library is not None
            found = cards(library)
        pids = {process.pid for process in tree(self._folder)} if found else set()
        facts = of_run(found, self._names, pids)
        if (own := facts.get("gpu_own")) is not None:
            self.bytes = max(self.bytes or 0, own)
        self.gpu = {name: facts.get(name) for name in SHOWN} if "gpu_total" in facts else {}
        return facts


def of_run(found: Sequence[Card], names: Sequence[str], pids: Collection[int]) -> dict[str, Any]:
    """Return the known figures of a run.

    ``gpu_own``: most bytes on one GPU; ``gpu_used`` and ``gpu_total`` of its fullest,
    ``gpu_use`` of its idlest GPU.
    """
    own = [held for card in found if (held := card.held_by(pids)) is not None]
    mine = [card for card in found if any(card.is_called(name) for name in names)]
    memory = [(card.free, card.used, card.total) for card in mine if card.free is not None]
    uses = [card.use for card in mine if card.use is not None]
    _, used, total = min(memory, default=(None, None, None))
    facts = {
        "gpu_own": max(own, default=None),
        "gpu_used": used,
        "gpu_total": total,
        "gpu_use": min(uses, default=None),
    }
    return {name: value for name, value in facts.items() if value is not None}
