"""Texts that took the old code minutes: what is done grows with their length, not with its square."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.moving import ffmpeg, moving, written

from musubi_nodes.datasets.config.saving import has_comments
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import fields_of
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.settings.lines import key_value_lines, literals
from musubi_nodes.families.settings.network_table import check_network
from musubi_nodes.families.settings.optimizer import Optimizer
from musubi_nodes.media.probe import probe
from musubi_nodes.nodes import table_text
from musubi_nodes.nodes.prompt_tables import read_prompts
from musubi_nodes.parsing import parse_literal
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

PROMPTS = {
    "exclamation marks": ("a.txt", "¡" * 19_000),
    "question marks": ("a.txt", "¿" * 19_000),
    "both, and an end": ("a.txt", "¡¿" * 9_000 + "!"),
    "columns": ("a.csv", ",".join(f"c{number}" for number in range(3_000)) + ",prompt\n"),
    "empty columns": ("a.csv", "prompt" + "," * 19_000 + "\na cat"),
    "options": ("a.txt", " --" * 6_000 + "\xe9"),
    "nested": ("a.jsonl", "[" * 19_000),
}


def read(place: Workplace, path: Path) -> list[Prompt]:
    return list(read_prompts(path, Context(place.host, place.services)).prompts)


@pytest.mark.parametrize(("name", "text"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_file_is_read_or_refused_in_time(musubi_workplace: Workplace, name: str, text: str) -> None:
    path = musubi_workplace.folder / name
    path.write_bytes(text.encode("cp1252"))
    with suppress(MusubiError):
        read(musubi_workplace, path)


@pytest.mark.parametrize("column", [spec.name for spec in fields_of(Prompt) if spec.kind in ("int", "float")])
def test_a_number_of_a_row_that_no_float_holds_is_refused(musubi_workplace: Workplace, column: str) -> None:
    path = musubi_workplace.folder / "a.jsonl"
    path.write_text(json.dumps({"prompt": "a cat", column: 10**400}), "utf-8")
    with fails("prompts-invalid", column):
        read(musubi_workplace, path)


def test_more_columns_than_a_prompt_has_options_are_counted_only(musubi_workplace: Workplace) -> None:
    path = musubi_workplace.folder / "a.csv"
    path.write_text(",".join(f"c{number}" for number in range(2_000)) + ",prompt\n", "utf-8")
    with fails("columns-too-many", 2001):
        read(musubi_workplace, path)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_a_line_that_no_pattern_should_search_at_once_is_refused(musubi_workplace: Workplace, name: str) -> None:
    path = musubi_workplace.folder / name
    path.write_text(f"prompt\n{'a' * (table_text.LONGEST_LINE + 1)}\n", "utf-8")
    with fails("line-too-long", path):
        read(musubi_workplace, path)


def test_patterns_are_searched_in_lines(monkeypatch: pytest.MonkeyPatch, musubi_workplace: Workplace) -> None:
    searched: list[str] = []

    class Foreign:
        def search(self, text: str) -> None:
            searched.append(text)

    monkeypatch.setattr(table_text, "FOREIGN", Foreign())
    path = musubi_workplace.folder / "a.txt"
    path.write_bytes("señor\nplain\nniño".encode("cp1252"))
    assert len(read(musubi_workplace, path)) == 3
    assert searched == ["señor", "niño"]


def test_spanish_marks_count_as_such_where_their_ends_follow(musubi_workplace: Workplace) -> None:
    path = musubi_workplace.folder / "a.txt"
    path.write_bytes("¡hola! ¿qué?\nseñor".encode("cp1252"))
    assert read(musubi_workplace, path)[0].prompt == "¡hola! ¿qué?"
    path.write_bytes("hola¡ que\nseñor!".encode("cp1252"))
    with fails("file-not-utf8", path):
        read(musubi_workplace, path)


LITERALS = ["(" * 5_000, "[" * 150 + "]" * 150, "-" * 9_000 + "1", "~" * 9_000 + "1", "{1:" * 150 + "1" + "}" * 150]


@pytest.mark.parametrize("text", LITERALS, ids=lambda text: f"{text[:3]}{len(text)}")
def test_a_literal_that_nobody_could_walk_through_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_literal(text)
    with pytest.raises(ValueError, match=r"."):
        literals(f"a={text}")
    with pytest.raises(ValueError, match=r"."):
        check_network(f"include_patterns={text}", "LoRA")


REFUSED: dict[str, Callable[[], Any]] = {
    "a pattern of brackets": lambda: check_network(f"include_patterns=['{'(' * 9_000}']", "LoRA"),
    "step rules": lambda: Optimizer(
        lr_scheduler="piecewise_constant", lr_scheduler_args=f"step_rules='{'1' * 19_000}'"
    ),
    "blanks": lambda: key_value_lines(f"a=1{' ' * 19_000}!="),
}


@pytest.mark.parametrize("ask", REFUSED.values(), ids=REFUSED)
def test_settings_are_refused_in_time(ask: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ask()


@pytest.mark.parametrize("text", ['\\"""' * 50_000, "'''" * 50_001, '"' * 100_001, '"\\' * 50_000], ids=lambda t: t[:4])
def test_comments_are_looked_for_in_time(text: str) -> None:
    assert not has_comments(text)


def test_a_text_inside_a_video_says_nothing_about_it(tmp_path: Path) -> None:
    plain, titled = written(tmp_path, moving(4)), tmp_path / "titled.mkv"
    title = "Stream #0:9: Video: fake, rgb, 999x999, 1 fps\n  Stream #0:8: Video: x" + "(a)" * 400
    ffmpeg("-i", plain, "-c", "copy", "-metadata", f"title={title}", titled)
    assert (probe(titled).width, probe(titled).codec) == (probe(plain).width, probe(plain).codec)
