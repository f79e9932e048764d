from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.datasets.scan.totals import cache_totals, training_batches

Make = Callable[..., Path]


def test_text_batches_ignore_buckets_and_latent_batches_follow_them(
    tmp_path: Path, image: Make, config: Callable
) -> None:
    for number in range(3):
        image(tmp_path / "set" / f"wide{number}.png", "x", (96, 48))
    for number in range(2):
        image(tmp_path / "set" / f"tall{number}.png", "x", (48, 96))
    settings = config({"image_directory": "set", "batch_size": 2})
    found = scan(settings)
    assert cache_totals(found, settings, "text") == (3,)
    assert cache_totals(found, settings, "latent") == (2 + 1,)
    one = config({"image_directory": "set", "batch_size": 2, "enable_bucket": False})
    assert cache_totals(scan(one), one) == (3,)


@pytest.mark.parametrize("repeats", [1, 2, 5, 100_000])
def test_an_epoch_has_each_item_as_often_as_it_is_repeated(
    tmp_path: Path, image: Make, config: Callable, repeats: int
) -> None:
    """Batches are made of what is repeated: 3 of one size twice, by fours, are two batches, not one twice."""
    for number in range(3):
        image(tmp_path / "set" / f"wide{number}.png", "x", (96, 48))
    image(tmp_path / "set" / "tall.png", "x", (48, 96))
    settings = config({"image_directory": "set", "batch_size": 4, "num_repeats": repeats})
    assert training_batches(scan(settings), settings) == -(-3 * repeats // 4) + -(-repeats // 4)


def test_one_at_a_time_needs_no_header(tmp_path: Path, image: Make, config: Callable) -> None:
    image(tmp_path / "set" / "a.png", "x").write_bytes(b"broken")
    single, pairs = config({"image_directory": "set"}), config({"image_directory": "set", "batch_size": 2})
    assert cache_totals(scan(single), single) == (1,)
    assert cache_totals(scan(pairs), pairs) == (None,)


def test_videos_count_by_clip(tmp_path: Path, video: Make, config: Callable) -> None:
    video(tmp_path / "set" / "a.mp4", frames=9)
    video(tmp_path / "set" / "b.mp4", frames=12)
    video(tmp_path / "set" / "c.mp4", frames=3)
    settings = config({"video_directory": "set", "target_frames": [1, 9]}, {"video_directory": "set", "batch_size": 2})
    assert cache_totals(scan(settings), settings) == (3 + 2, 2)


def test_a_converted_frame_rate_needs_the_models(tmp_path: Path, video: Make, config: Callable) -> None:
    video(tmp_path / "set" / "a.mp4", frames=12)
    table = {"video_directory": "set", "target_frames": [5], "frame_extraction": "chunk", "source_fps": 32}
    settings = config(table)
    assert cache_totals(scan(settings), settings) == (None,)
    assert cache_totals(scan(settings), settings, fps=16.0) == (1,)
