from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.config.schema import effective
from musubi_nodes.datasets.scan.fingerprint import Source, fingerprint, source_hashes
from musubi_nodes.datasets.scan.scan import scan

Make = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path, image: Make, config: Callable) -> Callable[..., str]:
    image(tmp_path / "set" / "a.png", "a")
    image(tmp_path / "set" / "b.png", "b")

    def print_of(**options: object) -> str:
        settings = config({"image_directory": "set", **options})
        return fingerprint(settings, scan(settings))

    return print_of


def test_it_is_steady_and_training_options_do_not_count(made: Callable) -> None:
    assert made() == made() == made(batch_size=3, num_repeats=9, cache_directory="elsewhere")
    assert len(made()) == 16


def test_a_caption_counts(tmp_path: Path, made: Callable) -> None:
    before = made()
    (tmp_path / "set" / "a.txt").write_text("another")
    assert made() != before


def test_a_size_counts_however_it_is_written(made: Callable) -> None:
    assert made(resolution=96) == made(resolution=[96, 96]) != made()


def test_a_replaced_file_counts(tmp_path: Path, made: Callable) -> None:
    before = made()
    os.utime(tmp_path / "set" / "a.png", ns=(1, 1))
    assert made() != before


def test_one_item_more_or_less_counts(tmp_path: Path, image: Make, made: Callable) -> None:
    before = made()
    image(tmp_path / "set" / "c.png", "c")
    assert made() != before


def test_a_control_picture_changes_what_its_text_was_made_from_and_another_items_not(
    tmp_path: Path, image: Make, config: Callable
) -> None:
    for name in ("a", "b"):
        image(tmp_path / "set" / f"{name}.png", name)
        image(tmp_path / "controls" / f"{name}.png")
    settings = config({"image_directory": "set", "control_directory": "controls"})

    def hashes(*sources: Source) -> dict[str, str]:
        return source_hashes(scan(settings).datasets[0], effective(settings)[0], frozenset(sources), "")

    plain, reading = hashes("caption"), hashes("caption", "control")
    image(tmp_path / "controls" / "a.png", size=(80, 64))
    assert hashes("caption") == plain
    changed = hashes("caption", "control")
    assert changed["b"] == reading["b"] and changed["a"] != reading["a"]
    image(tmp_path / "set" / "b.png", "b", size=(128, 64))  # controls are resized with their item
    assert hashes("caption", "control")["b"] != reading["b"]
