"""Sentences in the language of their reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Translate = Callable[[str], str]

_translate: ContextVar[Translate] = ContextVar("translate", default=str)


def translate(sentence: str, /, *values: Any, **named: Any) -> str:
    """Translate a sentence, then fill in its values."""
    translated = _translate.get()(sentence)
    if not values and not named:
        return translated
    try:
        return translated.format(*values, **named)
    except (LookupError, ValueError, AttributeError):  # the translation has other placeholders
        return sentence.format(*values, **named)


@contextmanager
def translating(translate: Translate) -> Iterator[None]:
    token = _translate.set(translate)
    try:
        yield
    finally:
        _translate.reset(token)
