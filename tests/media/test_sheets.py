from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from musubi_nodes.media import fonts
from musubi_nodes.media.fonts import drawable, font_for, has_letter
from musubi_nodes.media.frames import save_video
from musubi_nodes.media.pictures import image_picture, video_pictures
from musubi_nodes.media.sheet import NO_LETTERS, Cell, sheet
from musubi_nodes.media.wrapping import shortened, wrapped
from musubi_nodes.testing.errors import fails

RED = (220, 20, 30)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a b c", ["a b c"]),
        ("one two three", ["one two", "three"]),
        ("abcdefghijklmn", ["abcdefghij", "klmn"]),
        ("夜の東京の雨の路地、光", ["夜の東京の雨の路", "地、光"]),
        ("one two three four five six", ["one two", "three f..."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_captions_break_at_blanks_or_between_letters_without_any(text: str, lines: list[str]) -> None:
    room = 8.0 if text.startswith("夜") else 10.0
    assert wrapped(text, room, 2, len) == lines


def test_no_line_is_wider_than_its_room() -> None:
    text = "word " * 9 + "averyveryverylongword " + "漢字かな交じり文。" * 5
    assert all(len(line) <= 7 for line in wrapped(text, 7, 99, len))


@pytest.mark.parametrize(
    "word", ["x" * 1000, "ก" * 1000, "a b" * 500, "。" * 1000], ids=["latin", "thai", "words", "signs"]
)
def test_what_is_not_shown_is_hardly_measured(word: str) -> None:
    """The letters that are measured grow with the text not at all, or no faster than it."""

    def measured(text: str, draw: Callable[[str, Callable[[str], float]], object]) -> int:
        asked: list[int] = []
        draw(text, lambda piece: asked.append(len(piece)) or float(len(piece)))
        return sum(asked)

    for draw in (lambda text, length: wrapped(text, 20, 4, length), lambda text, length: shortened(text, 20, length)):
        assert measured(word * 8, draw) - measured(word, draw) <= 8 * len(word)


def test_pillows_own_font_lacks_japanese_and_says_so() -> None:
    own = fonts._own(20)
    assert has_letter(own, "a") and not has_letter(own, "日")
    assert drawable("a cat 日", own) == "a cat ?" and drawable("日本", own) == ""


def test_without_a_font_a_caption_is_named_instead_of_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_files", tuple)
    cell = Cell([Image.new("RGB", (64, 64), RED)], "a.png", [], "日本語")
    with_note = Cell([Image.new("RGB", (64, 64), RED)], "a.png", [], NO_LETTERS)
    assert sheet([cell], 1, 200, "x").tobytes() == sheet([with_note], 1, 200, "x").tobytes()


def test_an_installed_font_with_the_letters_is_taken() -> None:
    if not has_letter(font_for("日本語", 20), "日"):
        pytest.skip("no Japanese font is installed here")
    assert drawable("日本語 한국어", font_for("日本語 한국어", 20)) == "日本語 한국어"


def test_a_sheet_shows_each_picture_in_columns() -> None:
    cells = [Cell([Image.new("RGB", (40, 60), RED)], f"{n}.png", ["40x60"], "a cat") for n in range(5)]
    cells[4] = Cell([], "4.png", [], "", "cannot be read")
    made = np.asarray(sheet(cells, 3, 200, "page 1"))
    assert 600 < made.shape[1] < 680
    red = (made == RED).all(axis=2)
    assert red[:, 200:420].any() and red[made.shape[0] // 2 :, :200].any() and not red[-60:, 420:].any()


def test_each_line_has_its_own_place_in_every_font() -> None:
    """Pillow's own font, which draws English captions, lacks some letters that tell how high a line is."""
    picture = Image.new("RGB", (64, 64), RED)
    none, three = (sheet([Cell([picture], "", ["x"] * n, "")], 1, 200, "x").size[1] for n in (0, 3))
    assert three - none >= 3 * 11


def test_a_picture_is_small_and_what_is_transparent_shows_its_colour_as_in_training(tmp_path: Path) -> None:
    Image.new("RGBA", (400, 100), (255, 0, 0, 0)).save(tmp_path / "a.png")
    small = image_picture(tmp_path / "a.png", 64)
    assert small.size == (64, 16) and small.getpixel((1, 1)) == (255, 0, 0)
    (tmp_path / "b.png").write_bytes(b"<html>")
    with fails("image-unreadable", "b.png"):
        image_picture(tmp_path / "b.png", 64)


def test_a_video_shows_its_first_middle_and_last_frame(tmp_path: Path) -> None:
    levels = np.linspace(0.1, 0.9, 21, dtype=np.float32)
    path = save_video(np.ones((21, 48, 64, 3), np.float32) * levels[:, None, None, None], tmp_path / "ä %d.mp4", 16)
    shown = [np.asarray(frame).mean() / 255 for frame in video_pictures(path, 32)]
    assert np.allclose(shown, levels[[0, 10, 20]], atol=0.03)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with fails("video-unreadable", "b.mp4"):
        video_pictures(tmp_path / "b.mp4", 32)
