"""Names that a user types: what file systems and musubi-tuner take is taken, the rest is refused with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.file_names import LONGEST_NAME, MEDIA, WEIGHTS, checked_name, plain_name
from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.demo import make_dataset, workflow
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header
from musubi_nodes.windows_names import meaning_on_windows

PLAIN = ["cat", "my cat (2)", "100%", "a.b", "v1.0-final", "[x]", "it's", "a;b&c", "{}", "x" * LONGEST_NAME]
OF_ANY_LANGUAGE = ["\u00fc", "\u732b", "\u0416", "\U0001f431"]


@pytest.mark.parametrize("name", [*PLAIN, *OF_ANY_LANGUAGE])
def test_what_file_systems_take_is_taken(name: str, tmp_path: Path) -> None:
    assert plain_name(name) == name
    (tmp_path / f"{name}_e000001_00_20261130120000_4294967295.mp4").write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", ""),
        (".safetensors", ""),
        *((f"a{letter}b", repr(letter)) for letter in '<>:"/\\|?*\n\t\r\0\x1b\x7f\u2028\u202e\ud800'),
        ("..", "'.'"),
        (".hidden", "'.'"),
        ("-x", "'-'"),
        (" a", "' '"),
        ("a ", "' '"),
        ("a.", "'.'"),
        *((name, meaning_on_windows(name)) for name in ("nul", "COM1.txt", "con .x")),
        ("x" * (LONGEST_NAME + 1), str(LONGEST_NAME)),
        ("\u732b" * 77, "231"),
    ],
)
def test_what_they_do_not_take_is_refused_with_the_reason(name: str, reason: str) -> None:
    with fails("file-name-invalid", reason):
        plain_name(name, *WEIGHTS)
    with fails("file-name-invalid", reason) as told:
        checked_name(name, "output_name", *WEIGHTS)
    assert told.value.what.startswith("output_name ") and told.value.fix


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("cat.safetensors", "cat"),
        ("Cat.SafeTensors", "Cat"),
        ("cat.safetensors.safetensors", "cat"),
        ("cat.mp4", "cat.mp4"),
        ("safetensors", "safetensors"),
    ],
)
def test_an_ending_that_is_added_later_may_have_been_typed(typed: str, name: str) -> None:
    assert plain_name(typed, *WEIGHTS) == name
    assert plain_name("clip.mp4", *MEDIA) == "clip"


@given(st.text(max_size=60))
def test_a_name_that_is_taken_is_one_file_in_its_folder(name: str) -> None:
    try:
        taken = plain_name(name)
    except ValueError:
        return
    assert taken == name and os.path.split(name) == ("", name) and Path("folder", name).parent == Path("folder")


def test_a_lora_may_have_a_name_of_any_language(tmp_path: Path, musubi_miniature: str) -> None:
    """From the widget through the script's log and back; typed with its ending."""
    graph = workflow(make_dataset(tmp_path / "data", size=(96, 64)), "miniature", "wan")
    del graph["7"]
    graph["5"]["inputs"] |= {"max_train_epochs": 2, "save_every_n_epochs": 1}
    graph["6"]["inputs"]["output_name"] = "\u732b \u00fc.safetensors"
    path = write_json(tmp_path / "w.json", graph)
    assert main(["run", str(path), "--install", "miniature", "--output", str(tmp_path)]) == 0
    lora = tmp_path / "models" / "loras" / "musubi" / "\u732b \u00fc.safetensors"
    assert read_header(lora).metadata["ss_output_name"] == "\u732b \u00fc"
    (run,) = tmp_path.glob("musubi/runs/*Trainer*")
    assert json.loads((run / "status.json").read_text("utf-8"))["status"] == "done"
    assert len(list((run / "out").glob("*.safetensors"))) == 2
