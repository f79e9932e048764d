"""Expect an error by its code, so that its words can change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from musubi_nodes.errors import InvalidValue, MusubiError


@contextmanager
def fails(code: str, *values: object) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Expect an error with ``code``, or with a problem of it, whose message holds each of ``values``."""
    with pytest.raises((MusubiError, InvalidValue)) as caught:
        yield caught
    error = caught.value
    assert isinstance(error, (MusubiError, InvalidValue))
    assert code in codes(error), f"{code!r} is not among {codes(error)}: {error}"
    missing = [value for value in values if str(value) not in str(error)]
    assert not missing, f"{missing} not in: {error}"


def codes(error: MusubiError | InvalidValue) -> list[str]:
    """Return the error's code, then those of its problems."""
    problems = error.problems if isinstance(error, MusubiError) else ()
    return [error.code, *(problem.code for problem in problems)]
