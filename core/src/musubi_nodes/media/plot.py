"""Draws curves with Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from musubi_nodes.media.fonts import drawable, font_for
from musubi_nodes.media.wrapping import shortened

Points = Sequence[tuple[float, float | None]]

GROUND, GRID, TEXT = (30, 32, 36), (62, 66, 72), (226, 228, 232)
COLORS = ((76, 154, 255), (255, 171, 64), (87, 201, 122), (240, 98, 146), (171, 131, 255), (77, 208, 225))
FINER = 2  # drawn larger, then scaled down, to smooth Pillow's lines
_MOST = 4_000  # points of a line: twice the pixels of the widest picture


@dataclass(frozen=True)
class Curve:
    """Raw and smoothed values by step; ``None`` is a gap."""

    name: str
    raw: Points
    smooth: Points


@dataclass(frozen=True)
class Scale:
    """Units behind ticks, and a fixed range of values."""

    step: str = ""
    value: str = ""
    values: tuple[float, float] | None = None


PLAIN = Scale()


@dataclass(frozen=True)
class Frame:
    """Maps values to pixels; ``box`` is left, top, right, bottom."""

    box: tuple[float, float, float, float]
    steps: tuple[float, float]
    values: tuple[float, float]
    log: bool

    def x(self, step: float) -> float:
        left, _, right, _ = self.box
        return left + (step - self.steps[0]) / (self.steps[1] - self.steps[0]) * (right - left)

    def y(self, value: float) -> float:
        _, top, _, bottom = self.box
        low, high, value = (math.log(max(v, 1e-300)) if self.log else v for v in (*self.values, value))
        share = (value - low) / (high - low)
        return bottom - max(0.0, min(1.0, share)) * (bottom - top)


def plot(curves: Sequence[Curve], size: tuple[int, int], title: str, log: bool = False, scale: Scale = PLAIN) -> Any:
    from PIL import Image, ImageDraw

    width, height = size[0] * FINER, size[1] * FINER
    font = font_for(title + "".join(curve.name for curve in curves), max(11, min(size) // 24) * FINER)
    whole = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(whole)
    line = int(font.size * 1.5)
    draw.text((line * 0.7, line / 3), shortened(drawable(title, font), width - line, font.getlength), TEXT, font)
    legend = list(_legend([curve.name for curve in curves], width, line, font))
    rows = legend[-1].row + 1 if legend else 0
    frame = frame_of(curves, (line * 4.2, line * 1.8, width - line, height - line * (1.6 + rows)), log)
    if frame and scale.values:
        frame = replace(frame, values=scale.values)
    if frame is None:
        draw.text((width / 2, height / 2), "no values", TEXT, font, anchor="mm")
        return whole.resize(size)
    _axes(draw, frame, font, scale)
    colors = [COLORS[number % len(COLORS)] for number in range(len(curves))]
    for curve, color in zip(curves, colors, strict=True):  # first, so that none hides a smooth line
        _line(draw, frame, curve.raw, _faint(color), FINER)
    for curve, color, entry in zip(curves, colors, legend, strict=True):
        _line(draw, frame, curve.smooth, color, 2 * FINER)
        x, y = entry.left, height - line * (rows - entry.row) - line / 4
        draw.rectangle((x, y + line * 0.3, x + line * 0.8, y + line * 0.5), color)
        draw.text((x + line * 1.2, y), entry.name, TEXT, font)
    return whole.resize(size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class _Entry:
    name: str
    row: int
    left: float


def _legend(names: Sequence[str], width: int, line: int, font: Any) -> Iterator[_Entry]:
    row, left = 0, line * 0.7
    for name in names:
        shown = shortened(drawable(name, font), width - 3 * line, font.getlength)
        room = line * 2.2 + font.getlength(shown)
        if left > line and left + room > width:
            row, left = row + 1, line * 0.7
        yield _Entry(shown, row, left)
        left += room


def frame_of(curves: Sequence[Curve], box: tuple[float, float, float, float], log: bool) -> Frame | None:
    """Fit all smooth lines, and raw values without spikes."""
    scale, back = (math.log, math.exp) if log else (float, float)
    raw = [scale(value) for curve in curves for _, value in _known(curve.raw, log)]
    smooth = [scale(value) for curve in curves for _, value in _known(curve.smooth, log)]
    steps = [step for curve in curves for step, _ in (*_known(curve.raw, log), *_known(curve.smooth, log))]
    if not steps:
        return None
    shown = [*_without_spikes(raw), *smooth]
    low, high = min(shown), max(shown)
    room = (high - low) * 0.04 or (0.1 if log else abs(high) * 0.1 or 1.0)
    return Frame(box, (min(0.0, *steps), max(1.0, *steps)), (back(low - room), back(high + room)), log)


def _without_spikes(values: Sequence[float]) -> Sequence[float]:
    """Limit the outermost hundredths to half the height."""
    if not values:
        return ()
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.01, 0.99))
    room = (high - low) / 2
    return max(ordered[0], low - room), min(ordered[-1], high + room)


def ticks(low: float, high: float, log: bool = False) -> list[float]:
    """Return about five round numbers; if ``log``, by 1, 2, 5."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        if len(inside := [value for value in found if low <= value <= high]) >= 2:
            return inside[:: max(1, len(inside) // 6)]
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= (high - low) / 5)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _faint(color: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple((2 * ground + one) // 3 for ground, one in zip(GROUND, color, strict=True))


def _axes(draw: Any, frame: Frame, font: Any, scale: Scale) -> None:
    left, top, right, bottom = frame.box
    gap = font.size * 0.4
    for value in ticks(*frame.values, frame.log):
        y = frame.y(value)
        draw.line((left, y, right, y), GRID, FINER)
        draw.text((left - gap, y), f"{value:.4g}{scale.value}", TEXT, font, anchor="rm")
    for step in ticks(*frame.steps):
        x = frame.x(step)
        draw.line((x, top, x, bottom), GRID, FINER)
        text = f"{step:.6g}{scale.step}"
        middle = min(x, draw.im.size[0] - font.size * 0.3 - font.getlength(text) / 2)
        draw.text((middle, bottom + gap), text, TEXT, font, anchor="ma")
    draw.line((left, top, left, bottom, right, bottom), TEXT, FINER)


def _line(draw: Any, frame: Frame, points: Points, color: Any, width: int) -> None:
    for piece in _pieces(points, frame.log):
        places = [(frame.x(step), frame.y(value)) for step, value in piece]
        if len(places) > 1:
            draw.line(places, color, width, joint="curve")
        else:
            x, y = places[0]
            draw.ellipse((x - width, y - width, x + width, y + width), color)


def _pieces(points: Points, log: bool) -> Iterator[list[tuple[float, float]]]:
    piece: list[tuple[float, float]] = []
    for step, value in _thinned(points):
        if _is_known(value, log):
            piece.append((step, value))  # type: ignore[arg-type]
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _thinned(points: Points) -> Points:
    stride = max(1, len(points) // _MOST)
    return [*points[:-1:stride], *points[-1:]]


def _known(points: Points, log: bool) -> list[tuple[float, float]]:
    return [(step, value) for step, value in points if _is_known(value, log)]  # type: ignore[misc]


def _is_known(value: float | None, log: bool) -> bool:
    return value is not None and math.isfinite(value) and (value > 0 or not log)
