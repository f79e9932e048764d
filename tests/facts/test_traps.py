"""The table of musubi-tuner's traps and the rows that the plugins' tests provoke say the same, in both directions."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "wan": "plugins/wan/tests/test_wan_traps.py",
    "hunyuan": "plugins/hunyuan/tests/test_hunyuan_traps.py",
    "framepack": "plugins/framepack/tests/test_framepack_traps.py",
    "lora_tools": "plugins/lora_tools/tests/test_lora_tools_traps.py",
}
ANSWERS = {"refused", "explained", "overridden", "not ours"}
Provoked = list[tuple[str, str, str]]


def facts() -> dict[str, dict[str, str]]:
    """The facts by section and key."""
    table = tomli.loads((Path(__file__).with_name("traps.toml")).read_text("utf-8"))
    return {f"{section} {key}": fact for section, rows in table.items() for key, fact in rows.items()}


def rows(path: str) -> Iterator[tuple[str, Any]]:
    """The traps of a plugin's tests. A row ``4 a; 4 b`` answers two facts, ``4 a / c`` is one of several for a fact."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for keys, trap in module.TRAPS.items():
        yield from ((key.split(" / ")[0], trap) for key in keys.split("; "))


def provoked() -> Provoked:
    """Who provokes what, and the answer that the row asserts."""
    return [(key, name, trap.answer) for name, path in FAMILIES.items() for key, trap in rows(path)]


def test_a_fact_says_whom_it_concerns_and_how_it_is_answered() -> None:
    for key, fact in facts().items():
        assert fact["answer"] in ANSWERS and fact["fact"], key
        assert fact["who"] == "all" or set(fact["who"].split()) <= FAMILIES.keys(), key
        assert ("why" in fact) == (fact["answer"] == "not ours"), key
        assert "test" not in fact or (ROOT / fact["test"]).is_file(), key


def test_every_fact_is_provoked_through_the_nodes_that_it_concerns() -> None:
    found, missing = {(key, name) for key, name, _ in provoked()}, []
    for key, fact in facts().items():
        if fact["answer"] == "not ours" or "test" in fact:
            continue
        names = [name for name in FAMILIES if (key, name) in found]
        wanted = set(names[:1] or ["any"]) if fact["who"] == "all" else set(fact["who"].split())
        missing += [f"{key} ({name})" for name in sorted(wanted - set(names))]
    assert not missing


def test_every_provoked_row_is_a_fact_and_gets_the_answer_that_it_names() -> None:
    known = facts()
    wrong = [
        f"{key} ({name}): {answer}"
        for key, name, answer in provoked()
        if key not in known
        or answer != known[key]["answer"]
        or (known[key]["who"] != "all" and name not in known[key]["who"].split())
    ]
    assert not wrong
