"""Each promise of docs/security.md names a test, and the test is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
PROMISES = re.findall(r"^\| (?!promise|---)(.+) \| (.+) \|$", TEXT, re.MULTILINE)


def test_there_are_promises() -> None:
    assert len(PROMISES) > 10


@pytest.mark.parametrize("named", sorted({name for _, tests in PROMISES for name in re.findall(r"`([^`]+)`", tests)}))
def test_the_test_that_holds_a_promise_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert not name or f"\ndef {name}(" in text


def test_every_promise_names_one() -> None:
    assert all("`tests/" in tests for _, tests in PROMISES)
    assert "docs/security.md" in (ROOT / "README.md").read_text("utf-8")
    assert "(security.md)" in (ROOT / "docs" / "configuration.md").read_text("utf-8")
