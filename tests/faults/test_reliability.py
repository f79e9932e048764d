"""The tables of docs/reliability.md and the tests say the same, in both directions."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST = re.compile(r"^def (test_\w+)\(", re.M)
OF_THE_TESTS = {"test_an_overlap_would_be_seen", "test_what_is_left_would_be_seen"}
"""They show that other tests can fail."""


def rows() -> list[list[str]]:
    """Fault, promise and tests of each row."""
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| fault", "|--"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def found_in(*folders: str) -> set[str]:
    files = [
        file for folder in folders for file in ROOT.glob(f"{folder}/**/test_*.py") if file.name != Path(__file__).name
    ]
    return {name for file in files for name in TEST.findall(file.read_text("utf-8"))}


def named() -> set[str]:
    return {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[2])}


def test_each_row_says_what_is_promised_and_where_it_is_proved() -> None:
    assert len(rows()) > 30
    assert [row for row in rows() if len(row) != 3 or not all(row) or not re.search(r"`test_\w+`", row[2])] == []


def test_each_named_test_exists() -> None:
    assert named() - found_in("tests", "plugins/*/tests") == set()


def test_each_test_of_a_fault_is_in_a_table() -> None:
    assert found_in("tests/faults") - named() - OF_THE_TESTS == set()
