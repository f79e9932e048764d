from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.check import check
from musubi_nodes.datasets.scan import DatasetScan, scan

Make = Callable[..., Path]


@pytest.fixture
def lines(config: Callable, tmp_path: Path) -> Callable[..., DatasetScan]:
    def one(*rows: object, kind: str = "image", **options: object) -> DatasetScan:
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (tmp_path / "set.jsonl").write_text("\n".join(texts), encoding="utf-8")
        return scan(config({f"{kind}_jsonl_file": "set.jsonl", **options})).datasets[0]

    return one


def test_lines_are_items_with_caption_and_controls(tmp_path: Path, image: Make, lines: Callable) -> None:
    a, b, c = (str(image(tmp_path / f"{name}.png")) for name in "abc")
    found = lines(
        {"image_path": a, "caption": " x ", "control_path_10": b, "control_path_2": c},
        {"image_path_0": b, "caption": ""},
    )
    first, second = found.items
    assert (str(first.path), first.caption, first.line) == (a, "x", 1)
    assert [file.path for file in first.control_files] == [c, b]
    assert str(second.path) == b and found.missing_controls == (second.path,)
    assert found.empty_captions == (second.path,)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "line 1: is not JSON"),
        ("", "line 1: is empty; remove it"),
        ('\ufeff{"a": 1}', "line 1: begins with a byte order mark"),
        ("[1]", "line 1: is not a JSON object"),
        ({"caption": "x"}, "line 1: has no image_path"),
        ({"img_path": "a.png", "caption": "x"}, "did you name it 'img_path'?"),
        ({"image_path": 5, "caption": "x"}, "line 1: image_path must be text, found 5"),
        ({"image_path": "/a.png"}, "line 1: has no caption"),
        ({"image_path": "/a.png", "caption": "x", "control_path_a": "/b"}, "control_path_a must end in a number"),
        ({"image_path": "/a/", "caption": "x"}, "ends in a slash"),
        ("[" * 100_000, "line 1:"),
    ],
)
def test_a_bad_line_is_named_by_its_number(lines: Callable, row: object, words: str) -> None:
    assert any(words in line for line in lines(row, {"image_path": "x"}).bad_lines)


def test_missing_files_and_relative_paths_are_told(
    tmp_path: Path, image: Make, lines: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image(tmp_path / "a.png")
    found = lines({"image_path": "a.png", "caption": "x"}, {"image_path": str(tmp_path / "no.png"), "caption": "x"})
    assert [item.path for item in found.items] == [tmp_path / "a.png"] and found.relative_lines == (1,)
    assert found.missing_files == (f"line 2: {tmp_path / 'no.png'}",)


def test_a_video_may_be_a_folder_of_images(tmp_path: Path, image: Make, lines: Callable) -> None:
    image(tmp_path / "clip" / "1.png")
    found = lines({"video_path": str(tmp_path / "clip"), "caption": "x"}, kind="video")
    assert found.items[0].stem == "clip"


def test_equal_names_from_different_folders_share_a_cache_file(tmp_path: Path, image: Make, config: Callable) -> None:
    rows = [{"image_path": str(image(tmp_path / name / "1.png")), "caption": name} for name in "ab"]
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    settings = config({"image_jsonl_file": "set.jsonl"})
    (error,) = check(scan(settings), settings).errors
    assert "one cache file would serve 2 items" in error


def test_an_unreadable_file_is_trouble(tmp_path: Path, lines: Callable, config: Callable) -> None:
    missing = scan(config({"image_jsonl_file": "none.jsonl"})).datasets[0]
    assert missing.trouble == "does not exist"
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe")
    assert "UTF-8" in scan(config({"image_jsonl_file": "bad.jsonl"})).datasets[0].trouble
