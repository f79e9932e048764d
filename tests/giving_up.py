"""Somebody who gives up what is being read."""

from __future__ import annotations


class GivenUp(Exception):
    """Raised as a host's own interrupt is: it is none of our errors."""


class GivesUp:
    """A :class:`musubi_nodes.budget.ReadLimit` that lets so many questions pass, and then raises at each."""

    def __init__(self, after: int = 0) -> None:
        self.left = after

    def spend(self, size: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise GivenUp
