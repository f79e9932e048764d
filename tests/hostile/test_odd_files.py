"""What lies where a file is expected may be a FIFO, a device or six gigabytes of nothing: it is told, never waited for.

On the code before these tests, each FIFO here was waited for without an end.
"""

from __future__ import annotations

import ast
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from musubi_nodes.datasets.config.reading import read_file
from musubi_nodes.datasets.config.saving import toml_text
from musubi_nodes.datasets.config.toml import load
from musubi_nodes.datasets.files.captions import read_captions
from musubi_nodes.datasets.files.facts import facts_of_images, video_facts
from musubi_nodes.datasets.files.listing import files_in
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import Limit, NotUsable, open_file, read_bytes, read_json
from musubi_nodes.hosts.terminal.workflow import read_workflow
from musubi_nodes.media.pictures import image_picture
from musubi_nodes.media.probe import probe
from musubi_nodes.nodes.table_text import text_of
from musubi_nodes.parsing import DEEPEST, LISTS, is_number, parse_json, parse_toml
from musubi_nodes.testing.errors import says
from musubi_nodes.weights import read_header

CORE = Path(__file__).resolve().parents[2] / "core" / "src" / "musubi_nodes"
HUGE = 6 << 30
SMALL = Limit("test", 10)
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs and devices in folders")


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def zero(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # the whole path is too long for a socket's name
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


ODD = [fifo, zero, listening, folder, sparse] if os.name != "nt" else [folder, sparse]
odd = pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)


@odd
def test_only_a_regular_file_of_bounded_size_is_opened(tmp_path, make):
    with pytest.raises(NotUsable):
        open_file(make(tmp_path / "x"), SMALL)


def test_a_file_of_the_allowed_size_is_read_and_one_byte_more_is_not(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"1234567890")
    assert read_bytes(path, SMALL) == b"1234567890"
    path.write_bytes(b"12345678901")
    with pytest.raises(NotUsable):
        read_bytes(path, SMALL)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs files whose size the system does not tell")
def test_a_file_that_tells_no_size_is_read_to_its_limit_only():
    with pytest.raises(NotUsable):
        read_bytes("/proc/self/status", SMALL)


@posix
def test_a_link_is_not_opened_where_none_is_followed(tmp_path):
    (tmp_path / "there").write_bytes(b"1")
    (tmp_path / "link").symlink_to("there")
    assert read_bytes(tmp_path / "link", SMALL) == b"1"
    with pytest.raises(NotUsable):
        read_bytes(tmp_path / "link", SMALL, follow=False)


@odd
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.toml", read_file),
        ("a.json", read_file),
        ("a.csv", text_of),
        ("a.json", lambda path: read_workflow(path, ())),
        ("a.safetensors", read_header),
        ("a.png", lambda path: image_picture(path, 64)),
        ("a.mp4", probe),
    ],
)
def test_each_reader_tells_it_in_one_error(tmp_path, make, name, read):
    with pytest.raises(MusubiError) as told:
        read(make(tmp_path / name))
    assert str(tmp_path) in told.value.what


@odd
def test_what_is_no_picture_is_told_as_such(tmp_path, make):
    make(tmp_path / "a.png")
    files = [file for _, file in files_in(tmp_path)]
    assert [type(found) for found in facts_of_images(files)] == [MusubiError]


@odd
def test_what_is_no_caption_is_none(tmp_path, make):
    make(tmp_path / "a.txt")
    assert read_captions(file for _, file in files_in(tmp_path)) == [None]


@odd
def test_what_is_no_video_is_told_as_such(tmp_path, make, dataset_of):
    make(tmp_path / "a.mp4")
    (tmp_path / "a.txt").write_text("a cat", "utf-8")
    (part,) = scan(dataset_of("video_directory", tmp_path)).datasets
    assert all(isinstance(found, MusubiError) for found in video_facts(item.file for item in part.items).values())


@odd
def test_what_is_no_jsonl_is_the_trouble_of_its_dataset(tmp_path, make, dataset_of):
    config = dataset_of("image_jsonl_file", make(tmp_path / "a.jsonl"))
    (part,) = scan(config).datasets
    assert part.trouble and not part.items


def test_a_jsonl_whose_line_has_no_end_is_read_to_a_limit(tmp_path, dataset_of):
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.truncate(100_000_000)
    (part,) = scan(dataset_of("image_jsonl_file", tmp_path / "a.jsonl")).datasets
    assert says(part.trouble, "line-too-long")


def test_of_a_jsonl_of_wrong_lines_the_first_thousand_are_kept(tmp_path, dataset_of):
    (tmp_path / "a.jsonl").write_text("\n" * 5_000)
    (part,) = scan(dataset_of("image_jsonl_file", tmp_path / "a.jsonl")).datasets
    assert len(part.bad_lines) == 1_001


@pytest.fixture
def dataset_of(tmp_path):
    def made(key, path):
        toml = tmp_path / "dataset.toml"
        toml.write_text(f"[general]\ncaption_extension = '.txt'\n[[datasets]]\n{key} = '{path.as_posix()}'\n", "utf-8")
        return load(toml)

    return made


@odd
def test_a_file_of_ours_that_is_none_holds_nothing(tmp_path, make):
    assert read_json(make(tmp_path / "x.json")) == {}


@odd
def test_a_toml_that_is_none_is_not_read_for_comments(tmp_path, make):
    with pytest.raises(NotUsable):
        toml_text(make(tmp_path / "x.toml"))


DEEP = [
    "[" * 100_000,
    "[" * 500 + "]" * 500,
    '{"a":' * 100_000,
    '{"a":' * 500 + "1" + "}" * 500,
    "9" * 5_000,
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: f"{text[:5]}{len(text)}")
def test_json_that_nobody_could_walk_through_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * 100_000}",
        f"a = {'[' * 500}{']' * 500}",
        f"a = {'{a=' * 500}1{'}' * 500}",
        f"{'a.' * 500}a = 1",
        f"[{'a.' * 50_000}a]",
        f"{'a . ' * 50_000}a = 1",
        f"x = {{ {'a.' * 50_000}a = 1 }}",
        "".join(f"[{'a.' * depth}a]\n" for depth in range(63, 200)),
        f"a = {'9' * 5_000}",
    ],
    ids=lambda text: f"{text[:8].strip()}{len(text)}",
)
def test_toml_that_nobody_could_walk_through_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)


def test_a_line_of_thousands_of_lists_is_a_value_error():
    assert parse_json(f"[{'[],' * (LISTS - 2)}{{}}]")
    with pytest.raises(ValueError, match="lists"):
        parse_json(f"[{'[],' * (LISTS - 1)}{{}}]")


def test_a_header_of_thousands_of_texts_or_lists_is_not_read(tmp_path):
    path = tmp_path / "a.safetensors"
    for text in (json.dumps({"__metadata__": {str(number): "" for number in range(130_000)}}), "{" + "[]," * 110_000):
        path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
        with pytest.raises(MusubiError) as told:
            read_header(path)
        assert str(path) in told.value.what


def test_values_of_the_allowed_depth_are_read():
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    assert parse_toml(f"a = {'[' * (DEEPEST - 1)}{']' * (DEEPEST - 1)}")


def test_dots_in_a_text_are_no_depth():
    path = "a.b/" * 100
    assert parse_toml(f"image_directory = '{path}'\nrest = '{'.' * 200}'")["image_directory"] == path


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (1, True),
        (1.5, True),
        (10**400, False),
        (float("inf"), False),
        (float("nan"), False),
        (True, False),
        ("1", False),
    ],
)
def test_only_numbers_that_fit_a_float_are_numbers(value, is_one):
    assert is_number(value) is is_one


OPENING = {"open", "open_code", "read_text", "read_bytes"}
PARSING = {"json.loads", "json.load", "tomli.loads", "tomli.load", "tomllib.loads", "Image.open", "os.open", "io.open"}
OWN = {
    "files.py": "the one place",
    "parsing.py": "the one place",
    "commands/tables.py": "a table of this package",
    "datasets/files/captions.py": "100,000 files: of the size that the listing tells, without waiting",
    "datasets/files/headers.py": "100,000 files: their first bytes only, without waiting",
    "datasets/files/listing.py": "folders",
    "hosts/terminal/output.py": "the null device",
    "tensor_arrays.py": "a new file, tensor by tensor",
    "hosts/terminal/new_plugin.py": "an example of this package",
    "hosts/texts.py": "texts of this package",
    "families/memory/measured.py": "a value of its own",
    "media/formats.py": "a table of this package",
    "media/pictures.py": "the one place for pictures",
    "media/metadata.py": "a file that was written a moment ago",
    "runs/process/monitor.py": "the log and the metrics that it writes",
    "runs/process/guard.py": "imports nothing of this package",
    "runs/process/guard_windows.py": "imports nothing of this package",
    "runs/record/heartbeat.py": "the heartbeat that it writes; /proc",
    "runs/hardware/history.py": "the history that it writes",
}
"""Who opens or parses files by itself, and why that is bounded."""


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in PARSING or (name.split(".")[-1] in OPENING and name not in IN_FILES):
                yield name


IN_FILES = {"read_text", "read_bytes"}
"""The functions of files.py; methods of a path have one before their name."""


def test_files_are_opened_and_parsed_in_one_place():
    found = {
        path.relative_to(CORE).as_posix(): sorted(set(calls(ast.parse(path.read_text("utf-8")))))
        for path in CORE.rglob("*.py")
        if not path.is_relative_to(CORE / "testing")
    }
    assert {name: names for name, names in found.items() if names and name not in OWN} == {}
