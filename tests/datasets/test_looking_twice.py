"""One scan serves IS_CHANGED and the run: what was read is kept, but names, sizes and times are looked at anew."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.links import symlink

from musubi_nodes.datasets.files import captions, facts, file_cache
from musubi_nodes.datasets.files.duplicates import same_content
from musubi_nodes.datasets.files.listing import File, files_in
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import CHANGES_ARE_TIMED

Make = Callable[..., Path]


@pytest.fixture
def old(tmp_path: Path, image: Make) -> Path:
    """The caption of an image; both were written a minute ago."""
    picture = image(tmp_path / "set" / "a.png", "cat")
    caption = picture.with_suffix(".txt")
    past = caption.stat().st_mtime_ns - 60_000_000_000
    for path in (picture, caption):
        os.utime(path, ns=(past, past))
    return caption


def test_the_second_look_opens_no_file(old: Path, config: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: File) -> None:
        raise AssertionError(f"{file.path} is opened again")

    settings = config({"image_directory": "set"})
    first = scan(settings)
    for known in (captions.ANSWERS, facts.ANSWERS) if CHANGES_ARE_TIMED else (facts.ANSWERS,):
        monkeypatch.setattr(known, "_read", refuse)
    assert scan(settings) == first


def test_beyond_what_is_kept_all_is_read_again_but_never_without_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_cache, "MOST", 4)
    files = [File(f"{number}", 1, 0) for number in range(5)]
    read: list[File] = []
    known = file_cache.FileCache(lambda file: read.append(file) or file.path)
    for _ in range(3):
        assert known.of(files) == [file.path for file in files]
    assert len(read) == len(files)
    assert known.of([File("new", 1, 0), files[0]]) == ["new", "0"] and known.of([files[0]]) == ["0"]
    assert len(read) == len(files) + 2


def test_a_caption_of_the_same_length_is_read_again(old: Path, config: Callable) -> None:
    settings = config({"image_directory": "set"})
    assert scan(settings).items[0].caption == "cat"
    old.write_text("dog")
    assert scan(settings).items[0].caption == "dog"
    fresh = old.stat().st_mtime_ns
    old.write_text("cow")
    os.utime(old, ns=(fresh, fresh))  # a clock so coarse that both changes have one time
    assert scan(settings).items[0].caption == "cow"


def test_the_collector_runs_as_before(old: Path, config: Callable) -> None:
    scan(config({"image_directory": "set"}))
    assert gc.isenabled()
    gc.disable()
    try:
        scan(config({"image_directory": "set"}))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_broken_link_is_an_item_that_cannot_be_read(tmp_path: Path, old: Path, config: Callable) -> None:
    symlink(tmp_path / "set" / "b.png", tmp_path / "nowhere.png")
    (tmp_path / "set" / "b.txt").write_text("b")
    broken = scan(config({"image_directory": "set"})).items[1]
    assert broken.file.size == -1 and isinstance(broken.facts, MusubiError) and broken.facts.code == "file-missing"


def test_slow_files_are_read_many_at_a_time_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_cache, "_SLOW", 0.0)
    for number in range(20):
        (tmp_path / f"{number}").write_text("x")
    files = [file for _, file in files_in(tmp_path)]
    assert file_cache.each_file(lambda file: file.name, files) == [file.name for file in files]


def test_equal_bytes_are_found_among_files_of_one_size(tmp_path: Path) -> None:
    long = b"x" * 100_000
    for name, data in {"a": b"1", "b": b"1", "c": b"2", "d": long + b"1", "e": long + b"2", "f": long + b"1"}.items():
        (tmp_path / name).write_bytes(data)
    for name in ("empty1", "empty2"):
        (tmp_path / name).touch()
    found = same_content(sorted(file for _, file in files_in(tmp_path)))
    assert [[file.name for file in group] for group in found] == [["a", "b"], ["d", "f"]]
