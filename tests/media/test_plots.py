from __future__ import annotations

import math
from typing import Any

import pytest

from musubi_nodes.media.plot import COLORS, GROUND, Curve, Scale, frame_of, plot, ticks

SIZE = (480, 320)


def near(color: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return sum(abs(a - b) for a, b in zip(color, other, strict=True)) < 90


def colored(picture: Any, color: tuple[int, ...]) -> list[tuple[int, int]]:
    """Where the picture has a color, its legend left out."""
    width, height = picture.size
    return [(x, y) for x in range(70, width) for y in range(height - 45) if near(picture.getpixel((x, y)), color)]


def test_a_falling_line_falls_from_the_upper_left_to_the_lower_right() -> None:
    points = [(step, 2 - step / 100) for step in range(1, 101)]
    places = colored(plot([Curve("run", points, points)], SIZE, "loss"), COLORS[0])
    left, right = min(places), max(places)
    assert left[0] < 100 and right[0] > SIZE[0] - 40
    assert left[1] < 60 and right[1] > SIZE[1] - 90
    middle = [y for x, y in places if abs(x - (left[0] + right[0]) // 2) <= 1]
    assert min(middle) - 5 < (left[1] + right[1]) / 2 < max(middle) + 5


@pytest.mark.parametrize("count", [1, 2, 8_001, 12_002])
def test_however_many_points_there_are_the_last_one_is_drawn(count: int) -> None:
    points: list[tuple[float, float | None]] = [(step, 1.0) for step in range(count - 1)] + [(count - 1, 9.0)]
    picture = plot([Curve("run", [], points), Curve("frame", [(0, 0.0), (count, 10.0)], [])], SIZE, "last")
    top = min(y for _, y in colored(picture, COLORS[0]))
    assert top < SIZE[1] // 3


def test_names_share_a_line_of_the_legend_as_far_as_they_fit() -> None:
    def lowest(*names: str) -> int:
        curves = [Curve(name, [], [(1, 1.0 + n), (2, 2.0 + n)]) for n, name in enumerate(names)]
        return max(y for _, y in colored(plot(curves, SIZE, "legend"), COLORS[0]))

    assert abs(lowest("a") - lowest("a", "b", "c")) < 10
    assert lowest("a" * 40, "b" * 40, "c" * 40) < lowest("a", "b", "c") - 20


def test_a_fixed_scale_keeps_its_ends_and_names_its_units() -> None:
    points = [(0, 40.0), (10, 60.0)]
    half = plot([Curve("use", [], points)], SIZE, "use", scale=Scale(" s", " %", (0.0, 100.0)))
    whole = plot([Curve("use", [], points)], SIZE, "use")
    heights = [max(ys) - min(ys) for ys in ([y for _, y in colored(each, COLORS[0])] for each in (half, whole))]
    assert heights[0] < heights[1] / 2
    labels = [each.crop((0, 0, 60, SIZE[1] - 60)).tobytes() for each in (half, whole)]
    assert labels[0] != labels[1]


def test_each_curve_has_its_own_color() -> None:
    flat = [Curve(str(level), [], [(1, level), (50, level)]) for level in (1.0, 2.0)]
    picture = plot(flat, SIZE, "two")
    upper, lower = ({y for _, y in colored(picture, COLORS[n])} for n in (1, 0))
    assert max(upper) < min(lower)


def test_no_raw_line_hides_a_smooth_one() -> None:
    points = [(step, 1 + (step % 2) / 10) for step in range(1, 300)]
    calm = [(step, 1.05) for step in range(1, 300)]
    picture = plot([Curve("under", points, calm), Curve("over", points, [])], SIZE, "two")
    assert len({x for x, _ in colored(picture, COLORS[0])}) > 0.7 * SIZE[0]


def test_a_gap_is_not_bridged() -> None:
    points = [(step, None if 40 <= step <= 60 else 1.0) for step in range(1, 101)]
    xs = {x for x, _ in colored(plot([Curve("run", [], points)], SIZE, "gap"), COLORS[0])}
    inside = range(min(xs), max(xs))
    assert any(x not in xs for x in inside)


def test_the_last_step_is_written_whole() -> None:
    """Also where it ends at the edge of the picture."""
    picture = plot([Curve("run", [], [(0, 1.0), (10_000_000, 1.0)])], SIZE, "end")
    edge = {picture.getpixel((SIZE[0] - 1, y)) for y in range(SIZE[1])}
    assert edge == {GROUND}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "points",
    [
        [],
        [(1, None)],
        [(1, math.nan), (2, math.inf), (3, -math.inf)],
        [(1, 0.5)],
        [(1, 0.0), (2, 0.0)],
        [(1, -1.0), (2, -2.0)],
        [(10_000_000, 1e-12), (10_000_001, 1e30)],
        [(0, 0.5), (0, 0.5)],
    ],
)
def test_no_points_can_break_it(points: list[tuple[float, float | None]], log: bool) -> None:
    assert plot([Curve("run", points, points)], SIZE, "title", log).size == SIZE
    assert plot([Curve("名前" * 40, points, [])], (256, 192), "t" * 400, log).size == (256, 192)


def test_a_single_spike_does_not_flatten_the_rest() -> None:
    raw = [(step, 1.0) for step in range(1, 500)] + [(500, 900.0)]
    smooth = [(step, 1.0 + step / 1000) for step in range(1, 501)]
    frame = frame_of([Curve("run", raw, smooth)], (0, 0, 100, 100), False)
    assert frame is not None and frame.values[1] < 2
    assert frame.y(900.0) == 0


def test_the_highest_and_lowest_value_of_a_short_curve_are_not_cut_off() -> None:
    raw = [(step, 1.0 + step % 2) for step in range(1, 80)] + [(80, 2.2), (81, 0.8)]
    frame = frame_of([Curve("run", raw, [])], (0, 0, 100, 100), False)
    assert frame is not None and frame.values[0] < 0.8 and frame.values[1] > 2.2


@pytest.mark.parametrize(
    ("low", "high", "log"), [(0.03, 0.11, False), (0.0, 10.0, False), (1e-5, 1e3, True), (0.99, 1.01, True)]
)
def test_ticks_are_a_few_and_inside(low: float, high: float, log: bool) -> None:
    found = ticks(low, high, log)
    assert 2 <= len(found) <= 13
    assert all(low * (1 - 1e-9) <= value <= high * (1 + 1e-9) for value in found)
