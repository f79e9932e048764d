"""What --help prints is read back into the same table, for every script of every kept release."""

from __future__ import annotations

import argparse

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


def test_descriptions_are_read_also_where_they_begin_or_go_on_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, help="how deep, which is " + "a very long description " * 5)
    parser.add_argument("--an_option_with_a_long_name", choices=["a", "b"], default="a", help="below (%(default)s)")
    parser.add_argument("--silent", action="store_true")
    found = parse_help(parser.format_help())
    assert found["depth"].help == ("how deep, which is " + "a very long description " * 5).strip()
    assert found["an_option_with_a_long_name"].help == "below (a)" and found["silent"].help == ""
