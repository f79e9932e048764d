"""Assertions on error codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, finding

Refusal = MusubiError | InvalidValue | ValidationError


@contextmanager
def fails(code: str, *values: object) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Expect an error or problem with ``code`` and ``values``."""
    with pytest.raises((MusubiError, InvalidValue, ValidationError)) as caught:
        yield caught
    error: Any = caught.value
    message = _message(error)
    assert code in codes(error), f"{code!r} is not among {codes(error)}: {message}"
    missing = [value for value in values if str(value) not in message]
    assert not missing, f"{missing} not in: {message}"


def says(problem: Problem | None, code: str, *values: object) -> bool:
    """Whether ``problem`` has ``code`` and ``values``."""
    return problem is not None and problem.code == code and all(str(value) in problem.text for value in values)


def codes(error: Refusal) -> list[str]:
    if isinstance(error, ValidationError):
        return [finding(dict(each)).code for each in error.errors()]
    problems = error.problems if isinstance(error, MusubiError) else ()
    return [error.code, *(problem.code for problem in problems)]


def _message(error: Refusal) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "\n".join(f"{each['loc']} {finding(dict(each))}" for each in error.errors())
