"""The contract with musubi-tuner: every argument list that a node can build is accepted by the script's own parser.

Checked against the table of each kept release: the newest accepts everything; older ones accept it, or it is refused
before the run with a message that names option and version.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musubi_nodes.commands.tables import RELEASES, table
from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import FieldSpec, fields_of
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory
from musubi_nodes.plugins.discovery import checkout, find_plugins
from musubi_nodes.plugins.manager import Plugins
from musubi_nodes.testing.contract import Case, cases, check_all, runner_options, set_twice, unreachable
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import (
    build,
    default_value,
    filled,
    has_widgets,
    other_values,
    socket_classes,
    try_build,
)

NOT_OFFERED = {
    "ckpt_dir": "the model files are chosen one by one",
    "video_path": "the script parses it and never reads it",
    "log_tracker_config": "a file of the server; trackers are the server's own configuration",
    "latent_path": "comes over the latent socket",
}


@cache
def script_nodes() -> list[type[ScriptNode]]:
    nodes = Plugins(Config(), find_plugins(checkout())).nodes
    return [node for node in nodes if issubclass(node, ScriptNode)]


CASES = cases(script_nodes())


@pytest.mark.parametrize("node", script_nodes(), ids=lambda node: node.id)
def test_the_newest_parser_accepts_each_option(node: type[ScriptNode]) -> None:
    check_all([node])


def changed(script: str, release: str) -> bool:
    """Whether ``release`` knows other options than the one after it, which is checked as well."""
    return table(script, release) not in (None, table(script, RELEASES[RELEASES.index(release) + 1]))


@pytest.mark.parametrize("release", RELEASES[:-1])
def test_older_parsers_accept_each_option_or_it_is_refused_with_both_versions(release: str) -> None:
    accepted = refused = 0
    for case in CASES:
        if not changed(case.node.script, release):
            continue
        try:
            case.check(version=release)
            accepted += 1
        except MusubiError as error:
            refused += 1
            assert release in str(error) and "--" in str(error), (case, error)
    assert accepted > 20 and refused < accepted * 4


def choices(spec: FieldSpec) -> st.SearchStrategy[Any]:
    return st.sampled_from([default_value(spec), *other_values(spec)])


def any_inputs(node: type[ScriptNode]) -> st.SearchStrategy[Any]:
    """Random valid combinations of all fields of the node and its sockets."""

    @st.composite
    def draw(pick: Any) -> Any:
        fixed = {}
        for name, kind in socket_classes(node.Inputs).items():
            chosen = {s.name: pick(choices(s)) for s in _few(pick, kind)} if has_widgets(kind) else {}
            fixed[name] = try_build(kind, chosen) or filled(kind) if has_widgets(kind) else filled(kind)
        own = {s.name: pick(choices(s)) for s in _few(pick, node.Inputs)}
        return try_build(node.Inputs, own, **fixed) or build(node.Inputs, **fixed)

    return draw()


def _few(pick: Any, model: Any) -> list[FieldSpec]:
    specs = [spec for spec in fields_of(model) if spec.kind != "socket"]
    return pick(st.lists(st.sampled_from(specs), max_size=6, unique_by=lambda s: s.name)) if specs else []


@contextmanager
def suppress_set_twice() -> Iterator[None]:
    """Wan's noise choice sets the timestep range that the sampling settings can set as well: the run says so."""
    try:
        yield
    except MusubiError as error:
        assert error.code == "option-set-twice", error


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_newest_parser_accepts_random_combinations(data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(script_nodes()))
    with suppress_set_twice():
        Case(node, "random", data.draw(any_inputs(node))).check()


@pytest.mark.parametrize("node", script_nodes(), ids=lambda node: node.id)
def test_every_option_of_the_script_can_be_reached(node: type[ScriptNode]) -> None:
    assert not unreachable(node) - NOT_OFFERED.keys()


@pytest.mark.parametrize("node", script_nodes(), ids=lambda node: node.id)
def test_each_option_has_one_owner(node: type[ScriptNode]) -> None:
    assert not set_twice(node)


def test_an_option_that_no_field_knows_is_reached_as_extra_option() -> None:
    node = next(n for n in script_nodes() if n.id == "MusubiTuner_WanLoRATrainer")
    inputs = build(node.Inputs, lambda s: "loss_typo = 1" if s.name == "extra_options" else default_value(s))
    with fails("option-unknown", "loss_typo"):
        Case(node, "typo", inputs).words()
    known = {**(table(node.script) or {}), "brand_new": (table(node.script) or {})["seed"]}
    inputs = build(node.Inputs, lambda s: "brand_new = 3" if s.name == "extra_options" else default_value(s))
    assert "--brand_new=3" in node().planned(inputs, known, "9.9.9").argv(runner_options(node, known))


def test_only_what_the_declaration_itself_refuses_is_let_through() -> None:
    node = next(n for n in script_nodes() if n.id == "MusubiTuner_WanLoRATrainer")
    sage = Case(node, "sage", build(node.Inputs, memory=Memory(attention="sage")))
    with fails("setting-not-possible", "sage"):
        sage.words()
    sage.check()
    inputs = build(node.Inputs, lambda s: "loss_typo = 1" if s.name == "extra_options" else default_value(s))
    with fails("option-unknown", "loss_typo"):
        Case(node, "typo", inputs).check()
