"""Codes of errors are promises: a new one is added to the list, none is renamed by accident."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LISTED = (ROOT / "tests" / "error_codes.txt").read_text("utf-8").split()
RAISED = {
    *("MusubiError", "PluginError", "NotPossible", "OutOfGpuMemory", "Crashed", "Problem", "InvalidValue", "problems"),
}
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")


def sources() -> Iterator[Path]:
    yield from (ROOT / "core" / "src").rglob("*.py")
    for plugin in (ROOT / "plugins").iterdir():
        yield from (file for file in (plugin / "src").rglob("*.py") if "checkout" not in file.parts)


def texts_of(file: Path) -> tuple[set[str], set[str]]:
    """All texts of a file that look like a code, and those among them that are the code of an error."""
    tree = ast.parse(file.read_text("utf-8"))
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args)
    firsts = (call.args[0] for call in calls if ast.unparse(call.func).rpartition(".")[2] in RAISED)
    codes = {n.value for n in firsts if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in texts if KEBAB.fullmatch(text)}, codes


FOUND = [texts_of(file) for file in sources()]


def test_codes_are_lower_case_words_with_hyphens() -> None:
    assert [code for _, codes in FOUND for code in codes if not KEBAB.fullmatch(code)] == []


def test_each_code_that_is_raised_is_listed() -> None:
    assert sorted({code for _, codes in FOUND for code in codes} - set(LISTED)) == []


def test_each_listed_code_is_still_used() -> None:
    assert sorted(set(LISTED) - {text for texts, _ in FOUND for text in texts}) == []


def test_the_list_is_sorted() -> None:
    assert sorted(set(LISTED)) == LISTED
