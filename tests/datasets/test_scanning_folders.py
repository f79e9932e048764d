from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.datasets.files.listing import file_at
from musubi_nodes.datasets.scan.folder import MISSING_FOLDER, NOT_A_FOLDER
from musubi_nodes.datasets.scan.scan import DatasetScan, scan
from musubi_nodes.testing.errors import says

Make = Callable[..., Path]


@pytest.fixture
def look(config: Callable[..., object], tmp_path: Path) -> Callable[..., DatasetScan]:
    def one(kind: str = "image", **options: object) -> DatasetScan:
        return scan(config({f"{kind}_directory": str(tmp_path / "set"), **options})).datasets[0]  # type: ignore[arg-type]

    return one


def test_images_with_captions_are_items_and_the_rest_is_told(tmp_path: Path, image: Make, look: Callable) -> None:
    folder = tmp_path / "set"
    image(folder / "b.png", " a cat \n")
    image(folder / "a.JPG", "")
    image(folder / "bare.png")
    image(folder / "deep" / "c.png", "c")
    image(folder / ".hidden.png", "h")
    (folder / "odd.Gif").write_bytes(b"GIF")
    (folder / "lonely.txt").write_text("x")
    (folder / "b_0048x0032_wan.safetensors").write_bytes(b"x")
    found = look()
    assert [(item.path.name, item.caption) for item in found.items] == [("a.JPG", ""), ("b.png", "a cat")]
    assert found.items[1].caption_file == file_at(str(folder / "b.txt"))
    assert found.without_caption == (folder / "bare.png",)
    assert found.empty_captions == (folder / "a.txt",)
    assert found.captions_alone == (folder / "lonely.txt",)
    assert found.ignored == (folder / "odd.Gif",)
    assert found.subfolders == (folder / "deep",)


@pytest.mark.skipif(os.name == "nt", reason="Windows ignores the case of endings")
def test_mixed_case_endings_are_not_seen_on_posix(tmp_path: Path, image: Make, look: Callable) -> None:
    path = image(tmp_path / "set" / "a.Png", "x")
    assert look().items == () and look().ignored == (path,)


def test_the_caption_of_a_video_is_found_as_the_file_system_finds_it(
    tmp_path: Path, video: Make, look: Callable
) -> None:
    path = video(tmp_path / "set" / "Cat.mp4", caption=None)
    caption = path.with_name("cat.txt")
    caption.write_text("a cat")
    ignores_case = path.with_name("CAT.MP4").exists()
    found = look("video")
    assert [item.caption for item in found.items] == (["a cat"] if ignores_case else [])
    assert found.captions_alone == (() if ignores_case else (caption,))
    assert found.without_caption == (() if ignores_case else (path,))


@pytest.mark.parametrize("name", ["CLIP.mp4", "clip.MP4", "Clip", "CLIP.mov"])
def test_the_control_of_a_video_is_found_as_the_file_system_finds_it(
    tmp_path: Path, video: Make, look: Callable, name: str
) -> None:
    path, control = video(tmp_path / "set" / "clip.mp4"), tmp_path / "ctl" / name
    control.parent.mkdir()
    if control.suffix:
        control.write_bytes(b"x")
    else:
        control.mkdir()
    (item,) = look("video", control_directory="ctl").items
    found = path.with_name("CLIP.MP4").exists() or name == "clip.MP4"
    assert [file.path for file in item.control_files] == ([str(control)] if found else [])


def test_the_caption_of_an_image_needs_its_very_stem(tmp_path: Path, image: Make, look: Callable) -> None:
    """``glob_images`` of musubi-tuner (since v0.3.0) compares stems on every system."""
    path = image(tmp_path / "set" / "Cat.png")
    caption = path.with_name("cat.txt")
    caption.write_text("a cat")
    found = look()
    assert (found.items, found.without_caption, found.captions_alone) == ((), (path,), (caption,))


def test_captions_keep_a_byte_order_mark_and_must_be_utf8(tmp_path: Path, image: Make, look: Callable) -> None:
    folder = tmp_path / "set"
    image(folder / "a.png", "\ufeffa cat")
    image(folder / "b.png")
    (folder / "b.txt").write_bytes("caf\xe9".encode("latin-1"))
    found = look()
    assert [item.caption for item in found.items] == ["\ufeffa cat", None]
    assert found.marked_captions == (folder / "a.txt",) and found.not_utf8 == (folder / "b.txt",)


def test_a_missing_folder_and_a_file_in_its_place_are_told(tmp_path: Path, look: Callable) -> None:
    assert look().trouble == MISSING_FOLDER
    (tmp_path / "set").write_text("x")
    assert look().trouble == NOT_A_FOLDER


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path, look: Callable) -> None:
    os.mkfifo(tmp_path / "set")
    assert look().trouble == NOT_A_FOLDER


def test_videos_without_caption_are_no_items(tmp_path: Path, video: Make, look: Callable) -> None:
    video(tmp_path / "set" / "a.mp4")
    bare = video(tmp_path / "set" / "b.mp4", caption=None)
    found = look("video")
    assert [item.stem for item in found.items] == ["a"] and found.without_caption == (bare,)


def test_same_stems_are_found(tmp_path: Path, image: Make, look: Callable) -> None:
    paths = (image(tmp_path / "set" / "x.jpg", "x"), image(tmp_path / "set" / "x.png"))
    assert look().duplicate_stems == (paths,)


def test_controls_go_to_the_longest_fitting_name_in_order_of_their_number(
    tmp_path: Path, image: Make, look: Callable
) -> None:
    for name in ("a", "a_b"):
        image(tmp_path / "set" / f"{name}.png", name)
    for name in ("a_10", "a_2", "a_b_1", "a_b"):
        image(tmp_path / "ctl" / f"{name}.png")
    first, second = look(control_directory="ctl").items
    assert [file.name for file in first.control_files] == ["a_2.png", "a_10.png"]
    assert [file.name for file in second.control_files] == ["a_b.png", "a_b_1.png"]


def test_missing_and_unclear_controls_are_told(tmp_path: Path, image: Make, look: Callable) -> None:
    for name in ("a", "b", "c"):
        image(tmp_path / "set" / f"{name}.png", name)
    for name in ("a_x.png", "c.png", "c.jpg"):
        image(tmp_path / "ctl" / name)
    found = look(control_directory="ctl")
    assert [path.name for path in found.missing_controls] == ["a.png", "b.png"]
    unnumbered, several = found.bad_companions
    assert says(unnumbered, "companion-not-numbered", "a_x.png")
    assert says(several, "companion-ambiguous", "c.png", "c.jpg")


def test_a_control_video_may_be_a_folder_or_have_another_ending(tmp_path: Path, video: Make, look: Callable) -> None:
    for name in ("a", "b", "c", "d"):
        video(tmp_path / "set" / f"{name}.mp4")
    control = tmp_path / "ctl"
    (control / "b").mkdir(parents=True)
    for name in ("a.mp4", "c.mov"):
        (control / name).write_bytes(b"x")
    found = look("video", control_directory="ctl")
    assert [[file.name for file in item.control_files] for item in found.items] == [["a.mp4"], ["b"], ["c.mov"], []]
    assert [path.name for path in found.missing_controls] == ["d.mp4"]


def test_layers_are_targets_of_their_image_and_need_no_caption(tmp_path: Path, image: Make, look: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    layers = (image(tmp_path / "set" / "a_1.png"), image(tmp_path / "set" / "a_2.png"))
    found = look(multiple_target=True)
    assert tuple(Path(file.path) for file in found.items[0].target_files) == layers and found.without_caption == ()
    assert look().without_caption == layers
