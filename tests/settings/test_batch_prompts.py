"""Prompts from text, CSV and JSONL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.grouping import Item, groups, prompt_line
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.testing.workplace import Workplace

LINES = {"width": "w", "seed": "d", "negative_prompt": "n", "image": "i"}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def read(place: Workplace, name: str, text: str, **values: Any) -> list[Prompt]:
    (place.folder / name).write_text(text, "utf-8")
    return list(place.run("BatchProcessor", file=str(place.folder / name), **values).prompts.items)


def test_lines_of_text_are_prompts(place: Workplace) -> None:
    prompts = place.run("BatchProcessor", text="a cat\n\n# no\n  a dog  \n").prompts
    assert [each.prompt for each in prompts.items] == ["a cat", "a dog"]
    assert place.texts[0].startswith("2 prompts\n1. a cat")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_has_a_column_for_each_option(place: Workplace, separator: str) -> None:
    rows = [["prompt", "seed", "cfg_scale", "width"], ['"a ""small"" cat"', "7", "5.5", ""], ["a dog", "", "", "512"]]
    found = read(place, "p.csv", "\ufeff" + "\n".join(separator.join(row) for row in rows) + "\n")
    assert [(p.prompt, p.seed, p.cfg_scale, p.width) for p in found] == [
        ('a "small" cat', 7, 5.5, None),
        ("a dog", None, None, 512),
    ]


def test_jsonl_and_txt(place: Workplace) -> None:
    lines = [{"prompt": "猫", "steps": 4}, {"prompt": "a dog", "negative_prompt": "blurry"}]
    found = read(place, "p.jsonl", "\n".join(json.dumps(line) for line in lines))
    assert [(p.prompt, p.steps, p.negative_prompt) for p in found] == [("猫", 4, ""), ("a dog", None, "blurry")]
    assert [p.prompt for p in read(place, "p.txt", "a\nb\n")] == ["a", "b"]


def test_an_image_is_named_beside_the_table(place: Workplace) -> None:
    (place.folder / "cat.png").write_bytes(b"x")
    (found,) = read(place, "p.csv", "prompt,image\na cat,cat.png\n")
    assert found.image.paths == (place.folder / "cat.png",)


def test_repeats_count_seeds_up(place: Workplace) -> None:
    def made(**values: Any) -> list[int | None]:
        return [p.seed for p in place.run("BatchProcessor", text="a\nb", repeats=2, **values).prompts.items]

    assert made() == [None] * 4
    assert made(first_seed=10) == [10, 11, 12, 13]
    assert [p.seed for p in read(place, "p.csv", "prompt,seed\na,7\n", repeats=3)] == [7, 8, 9]


BROKEN = {
    "nothing at all": ("p.txt", "", "has no prompts"),
    "an unknown ending": ("p.xlsx", "x", "is no prompt file"),
    "no column prompt": ("p.csv", "text,seed\na,1\n", "has no column prompt"),
    "a misspelt column": ("p.csv", "prompt,sead\na,1\n", r"line 2: there is no column 'sead' \(did you mean 'seed'"),
    "a number that is none": ("p.csv", "prompt,seed\na,x\n", "line 2: seed 'x'"),
    "a size that does not fit": ("p.csv", "prompt,width\na,100\n", "line 2: width '100': is not divisible by 16"),
    "an empty prompt": ("p.csv", "prompt,seed\n,1\n", "line 2: the prompt is empty"),
    "too many cells": ("p.csv", "prompt,seed\na,1,2\n", "line 2: it has more cells"),
    "an open quote": ("p.csv", 'prompt,seed\n"a,1\n', "line"),
    "no JSON": ("p.jsonl", "{'prompt': 'a'}", "line 1 is no JSON"),
    "no object": ("p.jsonl", '["a"]', "line 1 is no object"),
    "an image that is not there": ("p.csv", "prompt,image\na,gone.png\n", "line 2: the image does not exist"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_a_broken_file_is_told_by_line(place: Workplace, row: str) -> None:
    name, text, message = BROKEN[row]
    with pytest.raises(MusubiError, match=message):
        read(place, name, text)


def test_a_file_that_is_not_utf8_or_not_there(place: Workplace) -> None:
    (place.folder / "p.csv").write_bytes("prompt\näöü".encode("latin-1"))
    with pytest.raises(MusubiError, match="is not UTF-8"):
        place.run("BatchProcessor", file=str(place.folder / "p.csv"))
    with pytest.raises(MusubiError, match="prompt file does not exist"):
        place.run("BatchProcessor", file=str(place.folder / "gone.csv"))


def test_beyond_loopback_a_prompt_file_must_lie_in_an_allowed_folder(place: Workplace) -> None:
    (place.folder / "p.txt").write_text("a", "utf-8")
    place.host.trusted = False
    with pytest.raises(MusubiError, match="outside the allowed folders"):
        place.run("BatchProcessor", file=str(place.folder / "p.txt"))


def items(*prompts: Prompt) -> list[Item]:
    return [Item(number, prompt, None) for number, prompt in enumerate(prompts, 1)]


def numbers(found: list[list[Item]]) -> list[list[int]]:
    return [[item.number for item in group] for group in found]


def test_what_one_start_can_tell_apart_is_grouped() -> None:
    cats = [Prompt(prompt=f"cat {n}", seed=n) for n in range(5)]
    assert numbers(groups(items(*cats), LINES, 3)) == [[1, 2, 3], [4, 5]]
    assert numbers(groups(items(*cats), {}, 8)) == [[1], [2], [3], [4], [5]]
    same_seed = [Prompt(prompt="a", seed=1), Prompt(prompt="b", seed=1), Prompt(prompt="a", seed=2)]
    assert numbers(groups(items(*same_seed), LINES, 8)) == [[1, 2, 3]]
    unsaid = [Prompt(prompt="a", seed=1, frames=9), Prompt(prompt="b", seed=2)]
    assert numbers(groups(items(*unsaid), LINES, 8)) == [[1], [2]]


def test_what_a_script_keeps_by_the_text_is_one_for_each_text_of_a_start() -> None:
    """wan_generate_video.py keeps the encoded negative prompt and picture by the prompt's text (v0.3.4)."""
    one, other = np.zeros((1, 8, 8, 3)), np.ones((1, 8, 8, 3))
    found = items(
        *(Prompt(prompt="a", seed=1, negative_prompt=text, image=one) for text in ("x", "x", "y")),
        Prompt(prompt="a", seed=4, negative_prompt="x", image=other),
        Prompt(prompt="b", seed=4, negative_prompt="y", image=other),
    )
    kept = frozenset({"negative_prompt", "image"})
    assert numbers(groups(found, LINES, 8, kept)) == [[1, 2, 5], [3], [4]]
    assert numbers(groups(found, LINES, 8)) == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize("text", ["a --w 8", "# a", "--w 8"])
def test_a_text_that_would_be_read_as_options_starts_alone(text: str) -> None:
    assert numbers(groups(items(Prompt(prompt="x", seed=1), Prompt(prompt=text, seed=2)), LINES, 8)) == [[1], [2]]


def test_a_line_says_what_the_prompt_says() -> None:
    prompt = Prompt(prompt="a cat\nand a dog", width=512, seed=7, negative_prompt="blurry")
    assert prompt_line(prompt, LINES, Path("/run/x.png")) == "a cat and a dog --w 512 --d 7 --n blurry --i /run/x.png"
    assert prompt_line(Prompt(prompt="a"), LINES, None) == "a"


def test_what_one_prompt_says_is_not_said_for_the_next() -> None:
    """The command line is the first prompt's: a line that says nothing would inherit it."""
    lines = {**LINES, "steps": "s"}
    found = [Prompt(prompt="a cat", seed=1, steps=3, negative_prompt="ugly"), Prompt(prompt="a dog", seed=2)]
    assert numbers(groups(items(*found), lines, 8)) == [[1], [2]]


@pytest.mark.parametrize("text", ["a cat\n--i /etc/x.png", "a cat\t--w 8", "a cat \n --d 1"])
def test_a_line_break_hides_no_option(text: str) -> None:
    assert numbers(groups(items(Prompt(prompt="x", seed=1), Prompt(prompt=text, seed=2)), LINES, 8)) == [[1], [2]]


def test_empty_rows_of_a_spreadsheet_are_no_prompts(place: Workplace) -> None:
    assert [p.prompt for p in read(place, "p.csv", "prompt,seed\na cat,1\n,\na dog,2\n,\n")] == ["a cat", "a dog"]


def test_a_line_separator_inside_a_json_text_ends_no_line(place: Workplace) -> None:
    (found,) = read(place, "p.jsonl", json.dumps({"prompt": "one\u2028two"}, ensure_ascii=False))
    assert found.prompt == "one\u2028two"


def test_another_picture_under_the_same_name_is_noticed(place: Workplace) -> None:
    (place.folder / "cat.png").write_bytes(b"x")
    (place.folder / "p.csv").write_text("prompt,image\na cat,cat.png\n", "utf-8")
    node = place.node("BatchProcessor")
    context = Context(place.host, place.services, node.title)
    before = node().changed(node.parse({"file": str(place.folder / "p.csv")}), context)
    (place.folder / "cat.png").write_bytes(b"another")
    assert node().changed(node.parse({"file": str(place.folder / "p.csv")}), context) != before
