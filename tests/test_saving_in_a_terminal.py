"""ComfyUI's own Save Image and Save Video, as the terminal stands in for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.moving import barred, bars

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.terminal import foreign
from musubi_nodes.hosts.terminal.foreign import SaveImage, SaveVideo
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.frames import VideoFile
from musubi_nodes.testing.workplace import Workplace


def saved(place: Workplace, node: type[Node], **values: object) -> list[Path]:
    """Run the node in an output folder that need not exist yet; the files that it shows."""
    context = Context(place.host, place.services)
    node().run(node.parse(values), context)
    return context.pictures


def left_in(place: Workplace) -> list[str]:
    return sorted(path.name for path in place.host.output_folder.rglob("*"))


@pytest.mark.parametrize(("shape", "count"), [((8, 16, 3), 1), ((1, 8, 16, 3), 1), ((3, 8, 16, 3), 3)])
def test_one_picture_is_one_file_and_a_batch_one_each(tmp_path: Path, shape: tuple[int, ...], count: int) -> None:
    place = Workplace(tmp_path)
    pictures = saved(place, SaveImage, images=np.zeros(shape, np.float32), filename_prefix="mon")
    assert [path.name for path in pictures] == left_in(place) == [f"mon_{number:05d}.png" for number in range(count)]
    assert all(Image.open(path).size == (16, 8) for path in pictures)


def test_a_picture_that_cannot_be_published_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(foreign, "publish", full)
    place = Workplace(tmp_path)
    with pytest.raises(OSError, match="No space"):
        saved(place, SaveImage, images=np.zeros((1, 8, 16, 3), np.float32))
    assert left_in(place) == []


def test_of_a_cut_video_the_chosen_part_is_saved(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    whole = barred(tmp_path / "clip.mkv", frames=48)
    (part,) = saved(
        place, SaveVideo, video=VideoFile(whole, ClipSpec(start=0.4, length=9)), filename_prefix="cuts/nine"
    )
    assert bars(VideoFile(part).frames()) == list(range(10, 19))
    assert left_in(place) == ["cuts", "nine.mp4"]


def test_a_whole_video_is_copied_as_it_is(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    whole = barred(tmp_path / "clip.mp4", frames=9)
    (copy,) = saved(place, SaveVideo, video=VideoFile(whole), filename_prefix="whole")
    assert copy.name == "whole.mp4" and copy.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("prefix", ["video /x", "a//b", "/a", "../x", "a/..", "CON/x", "a/\\n", "a\\..\\b", ""])
def test_each_folder_of_a_prefix_is_one_that_every_system_takes(tmp_path: Path, prefix: str) -> None:
    place = Workplace(tmp_path)
    with pytest.raises(MusubiError, match="filename_prefix"):
        saved(place, SaveImage, images=np.zeros((8, 16, 3), np.float32), filename_prefix=prefix)
    assert left_in(place) == []


def test_a_prefix_may_hold_folders_and_an_ending(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    (picture,) = saved(place, SaveImage, images=np.zeros((8, 16, 3), np.float32), filename_prefix="\u732b/a.png")
    assert picture == place.host.output_folder / "\u732b" / "a_00000.png"
