"""Reading many files for somebody who may not wait: within a budget, or until they give it up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from musubi_nodes.errors import Unresolved

LOOK_SECONDS = 0.2
WORK_SECONDS, REST_SECONDS = 0.002, 0.0001
"""Who reads much rests so long after so long: a busy thread keeps Python's lock for 5 ms each time that ComfyUI's event
loop wants it, which one answer does dozens of times."""


class Watch(Protocol):
    """Whoever waits for what is read."""

    def spend(self, size: int) -> None:
        """``size`` bytes will be read next; raise to prevent it."""


_WATCH: ContextVar[Watch | None] = ContextVar("musubi_watch", default=None)


@contextmanager
def watched(watch: Watch | None) -> Iterator[None]:
    """Within the block, ``watch`` is asked before anything is read.

    ``None``: nobody is, so that what must come to its end reads its files without being given up.
    """
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def spend(size: int = 0) -> None:
    """Ask whether ``size`` bytes may be read now; loops over many files ask for each."""
    if watch := _WATCH.get():
        watch.spend(size)


class _Rests:
    """Lets other threads on now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + WORK_SECONDS

    def due(self, now: float) -> None:
        """Rest if it is time to."""
        if now >= self._next:
            time.sleep(REST_SECONDS)
            self._next = time.monotonic() + WORK_SECONDS


class Budget:
    """Bytes and seconds that are left; what would need more raises :class:`Unresolved`. One thread at a time uses
    it."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds, self._bytes = seconds, most
        self._until = 0.0
        self._rests = _Rests()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block its time passes."""
        begun = time.monotonic()
        self._until = begun + self.seconds
        with watched(self):
            try:
                yield
            finally:
                self.seconds -= time.monotonic() - begun

    def spend(self, size: int) -> None:
        self._bytes -= size
        self._rests.due(now := time.monotonic())
        if self._bytes < 0 or now > self._until:
            raise Unresolved("what is larger, or takes longer, than anybody waits for")


class Interruptible:
    """Calls ``look``, which raises where the user has cancelled, some times a second."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look, self._next = look, 0.0
        self._rests = _Rests()

    def spend(self, size: int) -> None:
        self._rests.due(now := time.monotonic())
        if now >= self._next:
            self._next = now + LOOK_SECONDS
            self._look()
