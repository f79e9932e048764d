from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.media.bars import OTHERS, Bar, Part, bars, stacked
from musubi_nodes.media.plot import COLORS, GRID

KINDS = ("ours", "mine", "others")


def share(picture: Any, color: tuple[int, int, int]) -> float:
    """How much of the first bar has a color."""
    row = next(y for y in range(picture.height) if picture.getpixel((picture.width // 4, y)) == COLORS[0])
    inside = [picture.getpixel((x, row + 3)) for x in range(picture.width)]
    bar = [pixel for pixel in inside if pixel in (*COLORS, GRID, OTHERS)]
    return bar.count(color) / len(bar)


def test_a_bar_shows_each_share_in_its_color() -> None:
    parts = [Part("ours", 0.5), Part("mine", 0.125), Part("others", 0.25)]
    picture = bars([Bar("GPU", "21 of 24 GiB", parts)], KINDS, 640, "now")
    for color, wanted in ((COLORS[0], 0.5), (COLORS[1], 0.125), (OTHERS, 0.25), (GRID, 0.125)):
        assert share(picture, color) == pytest.approx(wanted, abs=0.02)


def test_a_legend_is_there_only_where_colors_differ() -> None:
    grey = [Bar("CPU", "40 %", [Part("others", 0.4), Part("ours", 0.0)])]
    both = [Bar("CPU", "40 %", [Part("others", 0.3), Part("ours", 0.1)])]
    assert bars(both, KINDS, 640, "now").height > bars(grey, KINDS, 640, "now").height


@pytest.mark.parametrize("parts", [[], [Part("ours", 0.0)], [Part("ours", 1.0), Part("others", 7.0)]])
def test_no_share_and_no_text_can_break_it(parts: list[Part]) -> None:
    rows = [Bar("名前" * 60, "1 of 2 GiB " * 30, parts), Bar("", "", parts)]
    assert bars(rows, KINDS, 256, "t" * 300).width == 256
    assert bars([], KINDS, 256, "").height > 10


def test_stacked_pictures_keep_their_order() -> None:
    one, two = bars([], KINDS, 64, ""), bars([Bar("a", "b")], KINDS, 64, "")
    both = stacked([one, two])
    assert both.size == (64, one.height + two.height)
    assert both.crop((0, one.height, *both.size)).tobytes() == two.tobytes()
