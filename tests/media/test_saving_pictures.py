"""PNGs of frames: nothing is decoded twice, nor for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import barred, bars

from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.ffmpeg import Watch, unwatched
from musubi_nodes.media.frames import ImageFiles, VideoFile, as_array, loaded, save_png, save_pngs
from musubi_nodes.testing.errors import fails


@dataclass(frozen=True)
class Counted(VideoFile):
    """A video that notes how many frames each decoding gave."""

    decoded: list[int] = field(default_factory=list)

    def frames(self, watch: Watch = unwatched) -> Any:
        found = super().frames(watch)
        self.decoded.append(len(found))
        return found


@pytest.mark.parametrize("cut", [ClipSpec(), ClipSpec(start=0.5, length=6)])
def test_for_one_picture_one_frame_is_decoded(tmp_path: Path, cut: ClipSpec) -> None:
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
    with fails("image-unreadable", "b.webp"):
        save_png(pictures, tmp_path / "c.png", 1)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_picture_comes_as_its_exif_data_turn_it(tmp_path: Path, ending: str) -> None:
    """As ComfyUI's Load Image does; a copy for musubi-tuner, which turns nothing, holds turned pixels."""
    turned, lying = Image.Exif(), Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 12) * 5).convert("RGB")
    turned[0x0112] = 6
    lying.save(tmp_path / f"a.{ending}", exif=turned, quality=100, lossless=True)
    upright = np.rot90(np.asarray(lying), -1).astype(float)
    for picture in (ImageFiles((tmp_path / f"a.{ending}",)).frames()[0] * 255,
                    picture_of(save_png(ImageFiles((tmp_path / f"a.{ending}",)), tmp_path / "copy.png"))):  # fmt: skip
        assert picture.shape == (12, 4, 3) and np.abs(picture - upright).max() < 12
    assert not Image.open(tmp_path / "copy.png").getexif()


def test_a_png_that_needs_no_turning_is_copied_as_it_is(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 4)).save(tmp_path / "a.png")
    save_png(ImageFiles((tmp_path / "a.png",)), tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_each_picture_of_an_animation_is_a_frame(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    pages[0].save(tmp_path / "a.webp", save_all=True, append_images=pages[1:], lossless=True)
    assert as_array(loaded(tmp_path / "a.webp"))[:, 0, 0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    pages[0].save(tmp_path / "b.png")
    assert loaded(tmp_path / "b.png") == ImageFiles((tmp_path / "b.png",))


def picture_of(path: Path) -> Any:
    return np.asarray(Image.open(path))
