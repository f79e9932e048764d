from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.fingerprint import Part, fingerprint
from musubi_nodes.datasets.scan import scan

Make = Callable[..., Path]


@pytest.fixture
def prints(tmp_path: Path, image: Make, config: Callable) -> Callable[..., tuple[str, str]]:
    image(tmp_path / "set" / "a.png", "a")
    image(tmp_path / "set" / "b.png", "b")

    def both(**options: object) -> tuple[str, str]:
        settings = config({"image_directory": "set", **options})
        found = scan(settings)
        parts: tuple[Part, Part] = ("latent", "text")
        assert len(fingerprint(settings, found)) == 16
        return tuple(fingerprint(settings, found, part=part) for part in parts)  # type: ignore[return-value]

    return both


def test_it_is_steady_and_training_options_do_not_count(prints: Callable) -> None:
    assert prints() == prints() == prints(batch_size=3, num_repeats=9, cache_directory="elsewhere")


def test_a_caption_counts_for_text_only(tmp_path: Path, prints: Callable) -> None:
    latent, text = prints()
    (tmp_path / "set" / "a.txt").write_text("another")
    assert prints()[0] == latent and prints()[1] != text


def test_pixels_and_sizes_count_for_latents_only(tmp_path: Path, prints: Callable) -> None:
    latent, text = prints()
    assert prints(resolution=96) == (prints(resolution=[96, 96])[0], text) and prints(resolution=96)[0] != latent
    os.utime(tmp_path / "set" / "a.png", ns=(1, 1))
    assert prints()[0] != latent and prints()[1] == text


def test_one_item_more_or_less_counts(tmp_path: Path, image: Make, prints: Callable) -> None:
    before = prints()
    image(tmp_path / "set" / "c.png", "c")
    after = prints()
    assert after[0] != before[0] and after[1] != before[1]


def test_unread_captions_are_read(tmp_path: Path, prints: Callable, config: Callable) -> None:
    settings = config({"image_directory": "set"})
    assert fingerprint(settings, scan(settings, read_captions=False)) == fingerprint(settings, scan(settings))
