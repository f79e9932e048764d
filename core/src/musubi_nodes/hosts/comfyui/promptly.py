"""Work for ComfyUI's event loop, in threads and with a time limit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent import futures
from contextvars import ContextVar, copy_context
from typing import Any, Generic, TypeVar

from musubi_nodes.budget import Budget

SECONDS, BYTES = 0.1, 4_000_000
"""Budget of all validations of one queued workflow."""
LIST_SECONDS = 0.05
"""Longest wait for one list of files."""
UNNOTICED, RESTS = 0.01, 10
"""Seconds of uncached listing; seconds cached per further second."""
MOST_THREADS = 16
"""Limit of threads blocked by slow file systems."""

T = TypeVar("T")
_request: ContextVar[Budget | None] = ContextVar("musubi_request", default=None)
_free = threading.BoundedSemaphore(MOST_THREADS)


def begin_request() -> None:
    _request.set(Budget(SECONDS, BYTES))


async def validated(check: Callable[[], Any]) -> bool:
    """Return True or raise; return True if ``check`` takes too long."""
    budget = _request.get() or Budget(SECONDS, BYTES)

    def work() -> None:
        with budget.used():
            check()

    if budget.seconds > 0 and (found := _started(work)):
        try:
            await asyncio.wait_for(asyncio.wrap_future(found), budget.seconds)
        except asyncio.TimeoutError:
            budget.seconds = 0
    return True


def _started(work: Callable[[], T]) -> futures.Future[T] | None:
    """Run ``work`` in a thread; ``None`` if too many are blocked."""
    free = _free
    if not free.acquire(blocking=False):
        return None
    future: futures.Future[T] = futures.Future()
    future.set_running_or_notify_cancel()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:
            future.set_exception(error)
        finally:
            free.release()

    threading.Thread(target=run, name="musubi-promptly", daemon=True).start()
    return future


class Lists(Generic[T]):
    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[T, float]] = {}
        self._looking: dict[Hashable, futures.Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, name: Hashable, look: Callable[[], T], otherwise: T) -> T:
        """Return the result of ``look``, fresh or cached, or ``otherwise``."""
        with self._lock:
            found, until = self._known.get(name, (otherwise, 0.0))
            if time.monotonic() < until:
                return found
            patience = 0.0 if self._looking else LIST_SECONDS
            looking = self._looking.get(name)
            if looking is None and (looking := _started(lambda: self._look(name, look))):
                self._looking[name] = looking
                patience = max(patience, LIST_SECONDS / 10)
        try:
            if looking:
                looking.result(patience)
        except futures.TimeoutError:
            pass
        return self._known.get(name, (otherwise, 0.0))[0]

    def _look(self, name: Hashable, look: Callable[[], T]) -> T:
        begun = time.monotonic()
        try:
            found = look()
            now = time.monotonic()
            self._known[name] = found, now + max(now - begun - UNNOTICED, 0) * RESTS
            return found
        finally:
            with self._lock:
                self._looking.pop(name, None)
