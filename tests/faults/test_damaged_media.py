"""One damaged file among many: the script's log does not name it, the error does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.giving_up import GivenUp, GivesUp

from musubi_nodes.budget import limited_by
from musubi_nodes.families.caches.damaged import _wrong, _wrong_video
from musubi_nodes.media.frames import save_video
from musubi_nodes.testing.errors import fails


def cut(path: Path, share: float) -> Path:
    """The same file without its end."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("number", [0, 3])
def test_a_truncated_picture_among_many_is_named(faulty: Any, number: int) -> None:
    place = faulty()
    place.dataset()
    damaged = cut(place.folder / "pictures" / f"p{number}.png", 0.6)
    with fails("file-damaged", damaged) as caught:
        place.caches()
    assert caught.value.log


def test_a_picture_that_pillow_refuses_in_words_of_its_own_is_named(faulty: Any) -> None:
    place = faulty()
    place.dataset()
    bomb, info = place.folder / "pictures" / "p1.png", PngInfo()
    info.add_text("comment", "a" * 2_000_000, zip=True)
    Image.new("RGB", (64, 64)).save(bomb, pnginfo=info)
    with fails("file-damaged", bomb) as caught:
        place.caches()
    assert caught.value.log


def test_of_a_broken_picture_in_a_folder_of_frames_both_are_named(tmp_path: Path) -> None:
    frames = tmp_path / "clip"
    frames.mkdir()
    Image.new("RGB", (32, 32)).save(frames / "1.png")
    Image.effect_noise((64, 64), 90).save(frames / "2.png")
    cut(frames / "2.png", 0.5)
    assert _wrong(frames).startswith("2.png: ")


def test_a_truncated_video_is_found_by_its_pictures(tmp_path: Path) -> None:
    video = save_video(np.random.default_rng(0).random((24, 64, 96, 3), np.float32), tmp_path / "clip.mp4", 16)
    data = bytearray(video.read_bytes())
    place = data.index(b"mdat") + 200
    data[place : place + 4000] = bytes(4000)
    whole = _wrong(save_video(np.zeros((5, 64, 96, 3), np.float32), tmp_path / "whole.mp4", 16))
    video.write_bytes(data)
    assert _wrong(video) and not whole


def test_looking_through_a_long_video_can_be_given_up(tmp_path: Path) -> None:
    video = save_video(np.zeros((5, 64, 96, 3), np.float32), tmp_path / "clip.mp4", 16)
    with limited_by(GivesUp()), pytest.raises(GivenUp):
        _wrong_video(video)


def test_a_picture_is_not_called_damaged_by_whoever_gives_it_up(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with limited_by(GivesUp()), pytest.raises(GivenUp):
        _wrong(tmp_path / "a.png")


def test_an_error_of_another_kind_stays_as_it_is(faulty: Any) -> None:
    place = faulty("segfault wan_cache_latents.py")
    place.dataset()
    with fails("script-crashed"):
        place.caches("faulty")
