"""What --help prints is read back into the same table, for every script of every kept release."""

from __future__ import annotations

import pytest

from musubi_nodes.commands.helptext import parse_help
from musubi_nodes.commands.tables import RELEASES, OptionSpec, nearest_release, scripts, table
from musubi_nodes.testing.parsers import parser_for

ALL = [(release, script) for release in RELEASES for script in scripts(release)]


def shape(spec: OptionSpec) -> tuple[str, tuple[str, ...], bool, bool]:
    return spec.name, spec.choices, spec.flag, spec.is_list or spec.positional


@pytest.mark.parametrize(("release", "script"), ALL, ids=lambda value: str(value))
def test_a_help_text_gives_back_the_options(release: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    known = table(script, release) or {}
    found = parse_help(parser_for(known, script).format_help())
    assert {n: shape(s) for n, s in found.items()} == {n: shape(s) for n, s in known.items()}


def test_narrow_terminals_wrap_long_options_but_lose_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    known = table("wan_train_network.py") or {}
    assert parse_help(parser_for(known).format_help()).keys() == known.keys()


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):\n  x", "usage: a [-h]\n", "\0\xff"])
def test_other_texts_give_no_options(text: str) -> None:
    assert parse_help(text) == {}


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.3.4", "0.3.4"),
        ("0.2.9", "0.2.8"),
        ("0.1.0", "0.2.0"),
        ("9.0.0", "0.3.4"),
        ("unknown", "0.3.4"),
        ("v0.3.1", "0.3.0"),
    ],
)
def test_an_unknown_version_is_judged_by_the_nearest_older_release(version: str, release: str) -> None:
    assert nearest_release(version) == release
