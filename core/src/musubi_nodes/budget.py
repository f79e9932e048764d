"""How much may be read for one answer that somebody waits for, such as the validation of a queued workflow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from musubi_nodes.errors import NotKnown


class Budget:
    """Bytes and seconds that are left; what would need more raises :class:`NotKnown`. One thread at a time uses it."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds, self._bytes = seconds, most
        self._until = 0.0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block its time passes, and :func:`spend` counts."""
        begun = time.monotonic()
        self._until = begun + self.seconds
        token = _BUDGET.set(self)
        try:
            yield
        finally:
            _BUDGET.reset(token)
            self.seconds -= time.monotonic() - begun

    def spend(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0 or time.monotonic() > self._until:
            raise NotKnown("what is larger, or takes longer, than anybody waits for")


_BUDGET: ContextVar[Budget | None] = ContextVar("musubi_budget", default=None)


def spend(size: int) -> None:
    """Take ``size`` bytes from the budget, if there is one; raises :class:`NotKnown` where it is used up."""
    if budget := _BUDGET.get():
        budget.spend(size)
