"""PNGs of frames: nothing is decoded twice, nor for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import barred, bars

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.cut import Cut
from musubi_nodes.media.ffmpeg import Watch, unwatched
from musubi_nodes.media.frames import ImageFiles, VideoFile, save_png, save_pngs


@dataclass(frozen=True)
class Counted(VideoFile):
    """A video that notes how many frames each decoding gave."""

    decoded: list[int] = field(default_factory=list)

    def frames(self, watch: Watch = unwatched) -> Any:
        found = super().frames(watch)
        self.decoded.append(len(found))
        return found


@pytest.mark.parametrize("cut", [Cut(), Cut(start=0.5, length=6)])
def test_for_one_picture_one_frame_is_decoded(tmp_path: Path, cut: Cut) -> None:
    video = Counted(barred(tmp_path / "a.mkv", frames=40), cut)
    first = picture_of(save_png(video, tmp_path / "first.png"))
    assert video.decoded == [1]
    assert np.array_equal(first, np.rint(VideoFile(video.path, cut).frames()[0] * 255))


def test_a_picture_of_each_frame_takes_one_decoding(tmp_path: Path) -> None:
    video = Counted(barred(tmp_path / "a.mkv", frames=8))
    made = save_pngs(video, tmp_path, "frame")
    assert video.decoded == [8]
    assert bars(np.stack([picture_of(path) / 255 for path in made])) == list(range(8))


def test_one_of_many_pictures_is_read_alone(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (200, 10, 10)).save(tmp_path / "a.webp", lossless=True)
    (tmp_path / "b.webp").write_bytes(b"no picture")
    pictures = ImageFiles((tmp_path / "a.webp", tmp_path / "b.webp"))
    assert picture_of(save_png(pictures, tmp_path / "c.png"))[0, 0].tolist() == [200, 10, 10]
    with pytest.raises(MusubiError, match=r"b\.webp cannot be read"):
        save_png(pictures, tmp_path / "c.png", 1)


def picture_of(path: Path) -> Any:
    return np.asarray(Image.open(path))
