"""Sentences for users, in the language that a host has chosen for whoever reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Translate = Callable[[str], str]
"""Translates a sentence, with its places still in it."""

_translate: ContextVar[Translate] = ContextVar("translate", default=str)


def translate(sentence: str, /, *values: Any, **named: Any) -> str:
    """``sentence`` in the reader's language, with the values in its places (``str.format``).

    Without a host that knows the reader (a terminal, another thread), and without a translation, it stays English.
    """
    told = _translate.get()(sentence)
    if not values and not named:
        return told
    try:
        return told.format(*values, **named)
    except (LookupError, ValueError, AttributeError):  # the translation names another place: no run ends by that
        return sentence.format(*values, **named)


@contextmanager
def translating(translate: Translate) -> Iterator[None]:
    """Within the block, ``translate`` knows the reader's language."""
    token = _translate.set(translate)
    try:
        yield
    finally:
        _translate.reset(token)
