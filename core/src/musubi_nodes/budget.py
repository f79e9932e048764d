"""Limits for reading many files: time and bytes, or a cancel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from musubi_nodes.errors import Unresolved

LOOK_SECONDS = 0.2
WORK_SECONDS, REST_SECONDS = 0.002, 0.0001  # readers pause: ComfyUI's event loop needs Python's lock


class ReadLimit(Protocol):
    def spend(self, size: int) -> None:
        """Account for ``size`` bytes about to be read; raise to prevent it."""


_LIMIT: ContextVar[ReadLimit | None] = ContextVar("musubi_read_limit", default=None)


@contextmanager
def limited_by(limit: ReadLimit | None) -> Iterator[None]:
    """Report reads in the block to ``limit``; ``None`` lifts all limits."""
    token = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def spend(size: int = 0) -> None:
    """Report ``size`` bytes; loops over many files call it for each."""
    if limit := _LIMIT.get():
        limit.spend(size)


class _Rests:
    def __init__(self) -> None:
        self._next = time.monotonic() + WORK_SECONDS

    def due(self, now: float) -> None:
        if now >= self._next:
            time.sleep(REST_SECONDS)
            self._next = time.monotonic() + WORK_SECONDS


class Budget:
    """Seconds and bytes left; :class:`Unresolved` once they are used up."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds, self._bytes = seconds, most
        self._until = 0.0
        self._rests = _Rests()

    @contextmanager
    def used(self) -> Iterator[None]:
        begun = time.monotonic()
        self._until = begun + self.seconds
        with limited_by(self):
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
    """Calls ``look`` every 0.2 s; it may raise to cancel."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look, self._next = look, 0.0
        self._rests = _Rests()

    def spend(self, size: int) -> None:
        self._rests.due(now := time.monotonic())
        if now >= self._next:
            self._next = now + LOOK_SECONDS
            self._look()
