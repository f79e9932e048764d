from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.checks.check import check
from musubi_nodes.datasets.scan.jsonl import MISSING_FILE
from musubi_nodes.datasets.scan.scan import DatasetScan, scan
from musubi_nodes.testing.errors import says

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
    ("row", "code", "value"),
    [
        ("{", "json-invalid", ""),
        ("", "line-empty", ""),
        ('\ufeff{"a": 1}', "file-byte-order-mark", ""),
        ("[1]", "json-not-an-object", ""),
        ({"caption": "x"}, "key-missing", "image_path"),
        ({"img_path": "a.png", "caption": "x"}, "key-missing", "'img_path'"),
        ({"image_path": 5, "caption": "x"}, "string-type", "5"),
        ({"image_path": "/a.png"}, "key-missing", "caption"),
        ({"image_path": "/a.png", "caption": "x", "control_path_a": "/b"}, "companion-not-numbered", "control_path_a"),
        ({"image_path": "/a/", "caption": "x"}, "path-not-a-file", "/a/"),
        ("[" * 100_000, "json-invalid", ""),
    ],
)
def test_a_bad_line_is_named_by_its_number(lines: Callable, row: object, code: str, value: str) -> None:
    assert says(lines(row, {"image_path": "x"}).bad_lines[0], code, "line 1", value)


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
    assert says(error, "cache-file-shared", *(row["image_path"] for row in rows))


def test_an_unreadable_file_is_trouble(tmp_path: Path, lines: Callable, config: Callable) -> None:
    missing = scan(config({"image_jsonl_file": "none.jsonl"})).datasets[0]
    assert missing.trouble == MISSING_FILE
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe")
    assert says(scan(config({"image_jsonl_file": "bad.jsonl"})).datasets[0].trouble, "file-not-utf8")
