"""A user may cancel while a dataset is looked at, however long that takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from musubi_nodes.budget import limited_by
from musubi_nodes.datasets.config.toml import DatasetConfig, loads
from musubi_nodes.datasets.files import file_cache
from musubi_nodes.datasets.files.duplicates import same_content
from musubi_nodes.datasets.files.facts import facts_of_images
from musubi_nodes.datasets.files.folder_state import FolderState
from musubi_nodes.datasets.files.listing import files_in
from musubi_nodes.datasets.scan.scan import scan


class Cancelled(Exception):
    pass


class After:
    """A user who cancels when so many files were looked at."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, size: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number:02}.png")
        (tmp_path / f"{number:02}.txt").write_text("a cat", "utf-8")
    lines = [f'{{"image_path": "{(tmp_path / f"{n:02}.png").as_posix()}", "caption": "a"}}\n' for n in range(20)]
    (tmp_path / "set.jsonl").write_text("".join(lines), "utf-8")
    return tmp_path


def config(folder: Path, source: str) -> DatasetConfig:
    return loads(f"[[datasets]]\n{source}\ncaption_extension = '.txt'\nresolution = [64, 64]\n", base=folder)


LOOKS: dict[str, Callable[[Path], Any]] = {
    "listing": lambda folder: list(files_in(folder)),
    "state": lambda folder: FolderState.of([folder]),
    "scan": lambda folder: scan(config(folder, "image_directory = '.'")),
    "jsonl": lambda folder: scan(config(folder, "image_jsonl_file = 'set.jsonl'")),
    "twins": lambda folder: same_content(file for _, file in files_in(folder)),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_each_look_at_a_dataset_can_be_given_up(folder: Path, look: Callable[[Path], Any]) -> None:
    look(folder)  # what is remembered shortens the next
    with pytest.raises(Cancelled), limited_by(After(10)):
        look(folder)


def test_reading_many_files_can_be_given_up(folder: Path) -> None:
    files = [file for name, file in files_in(folder) if name.endswith(".png")]
    answers_of = file_cache.FileCache(lambda file: file.size)
    with pytest.raises(Cancelled), limited_by(After(10)):
        answers_of.of(files)
    assert len(facts_of_images(files)) == 20


def test_files_that_are_waited_for_can_be_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_cache, "_SLOW", 0.0)
    over, files = threading.Event(), [file for _, file in files_in(folder)]
    begun: list[str] = []

    def ask(file: Any) -> int:
        begun.append(file.name)
        if len(begun) > 1:
            over.wait(60)
        return 1

    try:
        with pytest.raises(Cancelled), limited_by(After(3)):
            file_cache.each_file(ask, files)
    finally:
        over.set()
    assert len(begun) <= 10 < len(files)
