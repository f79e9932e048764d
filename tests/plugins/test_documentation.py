"""The documentation of hooks cannot drift: a heading, an example that runs and a test for each."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from musubi_nodes import families
from musubi_nodes.plugins.hooks import SPECS, arguments
from musubi_nodes.runs.explain import Failure

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
TEXT = (DOCS / "plugins.md").read_text("utf-8")
QUOTED = re.compile(r"^\[`[^`]+`\]\(example_families/(\S+)\)\n\n```\w+\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
"""A piece of an example family: its path on a line of its own, then the text."""
SECTIONS = dict(re.findall(r"^## `(musubi_\w+\(.*?\))`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def examples(text: str) -> list[str]:
    """Whole examples; pieces of the example families are none."""
    text = QUOTED.sub("", text)
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_hook_has_its_heading_and_every_heading_its_hook():
    assert set(SECTIONS) == {hook + arguments(hook) for hook in SPECS}


@pytest.mark.parametrize("hook", SPECS)
def test_every_example_runs_as_a_plugin(place, told, hook):
    found = examples(SECTIONS[hook + arguments(hook)])
    assert found, f"{hook} has no example"
    for number, example in enumerate(found):
        assert f"def {hook}(" in example
        place.install(f"documented-{number}", example)
    plugins = place.load()
    assert not told() and len(plugins.loaded) == 1 + len(found)
    for ask in plugins.explainers(""):
        ask(Failure("x.py", "", 1, ["ValueError: x"]))
    assert not told()


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_has_a_test_of_its_name(hook):
    trees = [ast.parse(file.read_text("utf-8")) for file in HERE.glob("test_*.py")]
    tests = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [name for name in tests if name.startswith(f"test_{hook}_")]


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_is_typed_and_described(hook):
    spec = SPECS[hook]
    assert spec.__doc__
    assert set(spec.__annotations__) == {*arguments(hook).strip("()").replace(" ", "").split(","), "return"} - {""}


def test_examples_stand_with_their_hooks_only():
    assert examples(TEXT.split("## `musubi_")[0]) == []


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("path", dict.fromkeys(path for path, _ in QUOTED.findall(TEXT)))
def test_the_page_quotes_the_example_families_as_they_are_and_in_order(path):
    rest = "\n".join(lines((DOCS / "example_families" / path).read_text("utf-8")))
    for piece in (piece for name, piece in QUOTED.findall(TEXT) if name == path):
        _, found, rest = rest.partition("\n".join(lines(piece)))
        assert found, piece


TEACHES = ("pyproject.toml", "nodes.py", "explain.py", "test_contract.py")


def test_the_page_teaches_from_both_families():
    quoted = {(path.split("/")[0], path.split("/")[-1]) for path, _ in QUOTED.findall(TEXT)}
    assert {family for family, _ in quoted} == {"heron", "magpie"} and {file for _, file in quoted} == {*TEACHES}


NAMES = re.compile(r"`(\w+)(?:\(.*?\))?`")


def test_every_name_of_the_public_door_stands_on_the_page():
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)) + "\n".join(re.findall(r"`([^`\n]+)`", TEXT))
    missing = {name for name in families.__all__ if not re.search(rf"(?<![\w.]){name}\b|mn\.{name}\b", code)}
    assert not missing, f"docs/plugins.md does not say what these are for: {sorted(missing)}"


def test_every_name_that_the_page_takes_from_the_public_door_is_there():
    imported = re.findall(r"from musubi_nodes\.families import \(?([\w, ]+)", TEXT)
    taken = {name.strip() for line in imported for name in line.split(",")} | set(re.findall(r"\bmn\.(\w+)", TEXT))
    table = TEXT.split("### Nodes, fields and marks")[1].split("###")[0]
    taken |= {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in NAMES.findall(row)}
    assert len(taken) > 60 and not taken - {*families.__all__}


def test_all_links_of_the_page_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert len(links) > 10 and not [link for link in links if not (DOCS / link).exists()]


def test_the_helpers_that_the_page_names_are_there():
    from musubi_nodes.testing import contract, plugin, workplace

    section = TEXT.split("### Test it")[1].split("###")[0]
    assert set(re.findall(r"fixture `(\w+)`", section)) == {n for n in vars(plugin) if n.startswith("musubi_")}
    assert all(hasattr(contract, name) for name in re.findall(r"contract\.(\w+)\(", section))
    assert all(hasattr(workplace.Workplace, name) for name in ("run", "dataset", "load", "started"))
