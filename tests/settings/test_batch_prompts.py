"""Prompts from text, CSV and JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.batching import Item, groups, prompt_line
from musubi_nodes.families.prompts import MOST, Prompt, Prompts
from musubi_nodes.testing.errors import fails
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
    assert place.texts[0].splitlines()[1].endswith("a cat")


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


TABLES = {
    "a line that names the separator": "sep=;\nprompt;cfg_scale;seed\na, cat;6,5;7\n",
    "capitals and blanks in names": "Prompt;CFG Scale; Seed \na, cat;6.5;7\n",
    "empty lines above": "\n;;\nprompt;cfg_scale;seed\na, cat;6,5;7\n",
}


@pytest.mark.parametrize("row", TABLES)
def test_tables_as_people_and_spreadsheets_write_them(place: Workplace, row: str) -> None:
    (found,) = read(place, "p.csv", TABLES[row].replace("\n", "\r\n"))
    assert (found.prompt, found.cfg_scale, found.seed) == ("a, cat", 6.5, 7)
    with fails("int-parsing", f"line {TABLES[row].count(chr(10)) + 1}: seed 'x'"):
        read(place, "p.csv", TABLES[row] + "a dog;;x\n")


def test_the_pack_s_own_words_are_columns(place: Workplace) -> None:
    head = "prompt\tsize\tlora_strength\tvideo_length\tinfer_steps\tseed\n"
    first, second = read(place, "p.tsv", f"{head}a, cat\t832x480\t0.5\t81\t20\t7\na dog\t64 × 96\t\t0\t\t-1\n")
    assert (first.width, first.height, first.lora_multiplier, first.frames, first.steps) == (832, 480, 0.5, 81, 20)
    assert (second.width, second.height, second.frames, second.seed) == (64, 96, None, None)


def test_a_line_may_hold_the_options_of_musubi_tuner(place: Workplace) -> None:
    (place.folder / "cat.png").write_bytes(b"x")
    line = "A cat, well--fed -- black --w 832 --h 480 --d 1 --s 20 --f 25 --g 5.5 --fs 3 --n ugly, blurry --i cat.png"
    (found,) = read(place, "p.txt", f"# no\n{line}\n")
    assert found.image.paths == (place.folder / "cat.png",)
    assert found.model_copy(update={"image": None}) == Prompt(
        prompt="A cat, well--fed -- black", width=832, height=480, seed=1, steps=20, frames=25, cfg_scale=5.5,
        flow_shift=3.0, negative_prompt="ugly, blurry",
    )  # fmt: skip
    (typed,) = place.run("BatchProcessor", text="a dog --w 64 --l 2 --d -1").prompts.items
    assert typed == Prompt(prompt="a dog", width=64, cfg_scale=2.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", 'prompt,seed\n"a cat, red --w 832 --n ugly, blurry",7\n'),
        ("p.jsonl", '{"prompt": "a cat, red --w 832 --n ugly, blurry", "seed": 7}'),
    ],
)
def test_a_cell_may_hold_them_too(place: Workplace, name: str, text: str) -> None:
    (found,) = read(place, name, text)
    assert found == Prompt(prompt="a cat, red", width=832, negative_prompt="ugly, blurry", seed=7)


def test_samples_of_a_training_take_the_options_of_their_own_script(place: Workplace) -> None:
    line = "a cat --w 96 --h 64 --f 5 --d 3 --s 4 --g 2 --l 6 --fs 7 --n ugly"
    sampling = place.run("SamplingConfig", sample_prompts=line, sample_every_n_epochs=1).sampling
    assert sampling.samples() == [
        Prompt(prompt="a cat", width=96, height=64, frames=5, seed=3, steps=4, guidance_scale=2.0, cfg_scale=6.0,
               flow_shift=7.0, negative_prompt="ugly")
    ]  # fmt: skip


BROKEN: dict[str, tuple[str, ...]] = {
    "nothing at all": ("p.txt", "", "batch-empty"),
    "an option that a prompt has not": (
        "p.txt",
        "a cat\na dog --ei x.png\n",
        "prompt-option-unknown",
        "line 2",
        "--ei",
    ),
    "an option without a value": ("p.txt", "a dog --w\n", "prompt-option-empty", "line 1", "--w"),
    "an option twice": ("p.txt", "a dog --g 2 --l 3\n", "prompt-option-twice", "line 1", "--l", "cfg_scale"),
    "options without a prompt": ("p.txt", "--w 832\n", "prompt-empty", "line 1"),
    "a size that is none": ("p.csv", "prompt,size\na,832\n", "size-invalid", "line 2", "'832'"),
    "a value twice": ("p.csv", "prompt,size,width\na,832x480,64\n", "column-twice", "line 2", "width"),
    "a misspelt size": ("p.csv", "prompt,sizes\na,832x480\n", "column-unknown", "'sizes'", "'size'"),
    "an unknown ending": ("p.xlsx", "x", "file-type-unsupported", "p.xlsx"),
    "no column prompt": ("p.csv", "promt,seed\na,1\n", "column-missing", "prompt", "'promt', 'seed'"),
    "a misspelt column": ("p.csv", "prompt,sead\na,1\n", "column-unknown", "line 2", "'sead'", "'seed'"),
    "a number that is none": ("p.csv", "prompt,seed\na,x\n", "int-parsing", "line 2: seed 'x'"),
    "a size that does not fit": ("p.csv", "prompt,width\na,100\n", "size-not-divisible", "line 2: width '100'"),
    "an empty prompt": ("p.csv", "prompt,seed\n,1\n", "prompt-empty", "line 2"),
    "too many cells": ("p.csv", "prompt,seed\na,1,2\n", "csv-invalid", "line 2"),
    "an open quote": ("p.csv", 'prompt,seed\na,1\n\n"b,2\nc,3\n', "csv-invalid", "line 4"),
    "an open quote before others": ("p.csv", 'prompt,seed\n"a,1\nb,2\n"c, d",3\n', "csv-invalid", "line 2"),
    "a quote in a quoted text": ("p.csv", 'prompt,seed\n"a "red" cat",1\n', "csv-invalid", "line 2", "','"),
    "a wrong value below an empty line": ("p.csv", "prompt,seed\na,1\n\n\nb,x\n", "int-parsing", "line 5: seed 'x'"),
    "a wrong value in a row of two lines": ("p.csv", 'prompt,seed\n"a\nb",x\n', "int-parsing", "line 2: seed 'x'"),
    "a column twice": ("p.csv", "prompt,prompt\na,b\n", "column-twice", "'prompt'"),
    "a key twice": ("p.jsonl", '{"prompt": "a", "prompt": "b"}', "json-invalid", "line 1"),
    "an option in a cell that there is not": ("p.csv", "prompt\na --ei x\n", "prompt-option-unknown", "line 2", "--ei"),
    "an option in a cell and a column": (
        "p.csv",
        "prompt,width\na --w 64,96\n",
        "column-twice",
        "width",
    ),
    "no JSON": ("p.jsonl", "{'prompt': 'a'}", "json-invalid", "line 1"),
    "no object": ("p.jsonl", '["a"]', "json-not-an-object", "line 1"),
    "an image that is not there": ("p.csv", "prompt,image\na,gone.png\n", "file-missing", "line 2", "gone.png"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_a_broken_file_is_told_by_line(place: Workplace, row: str) -> None:
    name, text, code, *values = BROKEN[row]
    with fails(code, *values):
        read(place, name, text)


ENDLESS = {"p.txt": "a\n", "p.csv": "a,1\n", "p.jsonl": '{"prompt": "a"}\n'}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_list_is_read_no_further_than_it_may_reach(place: Workplace, name: str) -> None:
    """The last line is wrong as well; nobody looks at it."""
    head = "prompt,seed\n" if name == "p.csv" else ""
    with fails("prompts-too-many", MOST):
        read(place, name, head + ENDLESS[name] * (MOST + 1) + "--wrong")


def test_what_a_preview_shows_of_thousands_of_prompts_is_their_count(place: Workplace) -> None:
    assert str(Prompts(items=(Prompt(prompt="a cat"),) * MOST)) == "5000 prompts"


def test_samples_of_a_training_are_read_no_further_than_they_may_reach(place: Workplace) -> None:
    with fails("prompts-too-many", MOST):
        place.run("SamplingConfig", sample_prompts="a\n" * (MOST + 1) + "--wrong", sample_every_n_epochs=1)


ENCODED = {
    "western Europe": ("cp1252", "Une fée «naïve», l’été à Nîmes", "Windows-1252"),
    "Japan": ("cp932", "猫が走る", "Shift-JIS"),
    "Unicode text": ("utf-16", "猫が走る", ""),
    "UTF-8": ("utf-8-sig", "猫が走る", ""),
}


@pytest.mark.parametrize("row", ENCODED)
def test_a_table_may_have_the_encoding_of_a_spreadsheet(place: Workplace, row: str) -> None:
    encoding, text, told = ENCODED[row]
    (place.folder / "p.csv").write_bytes(f"prompt\tseed\n{text}\t7\n".encode(encoding))
    (found,) = place.run("BatchProcessor", file=str(place.folder / "p.csv")).prompts.items
    assert (found.prompt, found.seed) == (text, 7)
    assert ("p.csv" in place.texts[0]) == bool(told) and told in place.texts[0]


@pytest.mark.parametrize(
    "text",
    [
        "café, naïve, “quotes”", "Größe 10×20 – schön", "¿Qué tal? ¡Hola! niño", "20 °C, 30°C, 2 m², 3½ cups",
        "coração, pão, irmã", "smørrebrød på bordet", "Noël… jalapeño", "© 2024 Foo™, Bar®", "»Straße«, „Tür“",
        "œuvre d’art",
    ],
)  # fmt: skip
def test_western_languages_are_read_as_excel_saves_them(place: Workplace, text: str) -> None:
    (place.folder / "p.csv").write_bytes(f'prompt\n"{text}"\n'.encode("cp1252"))
    (found,) = place.run("BatchProcessor", file=str(place.folder / "p.csv")).prompts.items
    assert found.prompt == text and "Windows-1252" in place.texts[0]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "кошка бежит"), ("cp1251", "кот"), ("gbk", "红色的猫在跑"), ("gbk", "猫在 running"),
        ("big5", "一隻可愛的貓"), ("big5", "紅色的球"), ("euc-kr", "빨간 고양이"), ("cp1250", "żółty kot śpi"),
        ("cp1250", "zielona żaba"), ("cp1250", "młody pies"), ("cp1250", "kočka spí na zahradě"),
        ("cp1254", "şirin kedi ağaçta"), ("cp1254", "güzel ışık"), ("cp1257", "kaķis guļ zālē"), ("cp1253", "η γάτα"),
    ],
)  # fmt: skip
def test_another_encoding_is_refused_instead_of_painted(place: Workplace, encoding: str, text: str) -> None:
    (place.folder / "p.csv").write_bytes(f"prompt\n{text}\n".encode(encoding))
    with fails("file-not-utf8", "p.csv"):
        place.run("BatchProcessor", file=str(place.folder / "p.csv"))


def test_a_file_that_is_not_there(place: Workplace) -> None:
    with fails("file-missing", "gone.csv"):
        place.run("BatchProcessor", file=str(place.folder / "gone.csv"))


FORESEEN = {
    "nothing at all": ({}, set(), "batch-empty"),
    "comments only": ({"text": "# a cat"}, set(), "batch-empty"),
    "a missing file": ({"file": "gone.csv"}, {"previous"}, "file-missing"),
    "a wrong line": ({"text": "a cat --ei x"}, {"file"}, "prompt-option-unknown"),
    "prompts over a link": ({}, {"previous"}, ""),
    "a text over a link": ({}, {"text"}, ""),
    "a file over a link": ({}, {"file"}, ""),
    "a prompt": ({"text": "a cat"}, set(), ""),
}


@pytest.mark.parametrize("row", FORESEEN)
def test_what_cannot_be_read_is_refused_when_it_is_queued(place: Workplace, row: str) -> None:
    values, linked, code = FORESEEN[row]
    node = place.node("BatchProcessor")
    context = Context(place.host, place.services, node.title)
    if not code:
        node().validate(node.known(values), linked, context)
        return
    with fails(code):
        node().validate(node.known(values), linked, context)


def test_beyond_loopback_a_prompt_file_must_lie_in_an_allowed_folder(place: Workplace) -> None:
    (place.folder / "p.txt").write_text("a", "utf-8")
    place.host.trusted = False
    with fails("path-not-allowed", place.folder / "p.txt"):
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


APART: dict[str, tuple[dict[str, str], Callable[[int], dict[str, Any]]]] = {
    "a script without a prompt file": ({}, lambda n: {}),
    "what a line cannot say": (LINES, lambda n: {"frames": n + 1}),
    "texts that hold options": (LINES, lambda n: {"prompt": f"cat --w {n}"}),
    "a picture of their own": (LINES, lambda n: {"image": np.zeros(1)}),
    "all alike": (LINES, lambda n: {}),
}


@pytest.mark.parametrize("row", APART)
def test_grouping_looks_at_each_prompt_once(row: str) -> None:
    """Each was compared with all before it: ten thousand took a minute."""
    lines, values = APART[row]
    looks: list[str] = []

    class Watched(Prompt):
        def __getattribute__(self, name: str) -> Any:
            if name in ("prompt", "negative_prompt"):
                looks.append(name)
            return super().__getattribute__(name)

    many = [Watched(**{"prompt": "a cat", "seed": n, **values(n)}) for n in range(200)]
    looks.clear()
    groups(items(*many), lines, 8, frozenset({"negative_prompt", "image"}))
    assert len(looks) <= 8 * len(many)


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
    image = Path("/run/x.png")
    assert prompt_line(prompt, LINES, {"image": [image]}) == f"a cat and a dog --w 512 --d 7 --n blurry --i {image}"
    assert prompt_line(Prompt(prompt="a"), LINES, {}) == "a"


def test_a_line_names_each_of_several_pictures() -> None:
    files = [Path("/run/a.png"), Path("/run/b.png")]
    assert prompt_line(Prompt(prompt="a"), {"control_image": "ci"}, {"control_image": files}) == (
        f"a --ci {files[0]} --ci {files[1]}"
    )


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
