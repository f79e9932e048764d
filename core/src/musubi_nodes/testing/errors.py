"""Expect an error by its code, so that its words can change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, finding


@contextmanager
def fails(code: str, *values: object) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Expect an error with ``code``, or with a problem of it, whose message holds each of ``values``."""
    with pytest.raises((MusubiError, InvalidValue, ValidationError)) as caught:
        yield caught
    error = caught.value
    assert isinstance(error, (MusubiError, InvalidValue, ValidationError))
    assert code in codes(error), f"{code!r} is not among {codes(error)}: {error}"
    missing = [value for value in values if str(value) not in str(error)]
    assert not missing, f"{missing} not in: {error}"


def says(problem: Problem | None, code: str, *values: object) -> bool:
    """Whether ``problem`` has ``code``, and each of ``values`` in its text."""
    return problem is not None and problem.code == code and all(str(value) in problem.text for value in values)


def codes(error: MusubiError | InvalidValue | ValidationError) -> list[str]:
    """Return the error's code, then those of its problems; those of each finding for pydantic's."""
    if isinstance(error, ValidationError):
        return [finding(dict(each)).code for each in error.errors()]
    problems = error.problems if isinstance(error, MusubiError) else ()
    return [error.code, *(problem.code for problem in problems)]
