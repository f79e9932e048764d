"""Draws horizontal bars with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from musubi_nodes.media.fonts import drawable, font_for
from musubi_nodes.media.plot import COLORS, FINER, GRID, GROUND, TEXT
from musubi_nodes.media.wrapping import shortened

OTHERS = (128, 134, 144)  # held by others or unknown


@dataclass(frozen=True)
class Part:
    """A share of a bar, 0..1, coloured by ``kind``."""

    kind: str
    share: float


@dataclass(frozen=True)
class Bar:
    """A bar with a ``name`` on the left and ``told`` on the right."""

    name: str
    told: str
    parts: Sequence[Part] = ()


def bars(rows: Sequence[Bar], kinds: Sequence[str], width: int, title: str, text_size: int = 16) -> Any:
    """Draw an image ``width`` pixels wide; the last kind is grey."""
    from PIL import Image, ImageDraw

    letters = title + "".join(kinds) + "".join(row.name + row.told for row in rows)
    font = font_for(letters, text_size * FINER)
    line, wide = int(font.size * 1.5), width * FINER
    held = {part.kind for row in rows for part in row.parts if part.share > 0}
    shown = [kind for kind in kinds if kind in held] if len(held) > 1 else []
    height = int(line * (2 + 2.1 * len(rows) + (1.4 if shown else 0)))
    whole = Image.new("RGB", (wide, height), GROUND)
    draw = ImageDraw.Draw(whole)
    draw.text((line * 0.7, line / 3), shortened(drawable(title, font), wide - line, font.getlength), TEXT, font)
    color = {**dict(zip(kinds, COLORS, strict=False)), kinds[-1]: OTHERS}
    top = line * 1.8
    for row in rows:
        _bar(draw, row, (line * 0.7, top, wide - line * 0.7, top + line * 2.1), font, color)
        top += line * 2.1
    left = line * 0.7
    for kind in shown:
        draw.rectangle((left, top + line * 0.3, left + line * 0.6, top + line * 0.9), color[kind])
        name = drawable(kind, font)
        draw.text((left + line * 0.9, top + line * 0.6), name, TEXT, font, anchor="lm")
        left += line * 1.9 + font.getlength(name)
    return whole.resize((width, height // FINER), Image.Resampling.LANCZOS)


def _bar(draw: Any, row: Bar, box: tuple[float, float, float, float], font: Any, color: Any) -> None:
    left, top, right, bottom = box
    line = (bottom - top) / 2.1
    told = shortened(drawable(row.told, font), (right - left) * 0.6, font.getlength)
    draw.text((right, top), told, TEXT, font, anchor="ra")
    room = right - left - font.getlength(told) - line
    draw.text((left, top), shortened(drawable(row.name, font), room, font.getlength), TEXT, font)
    low, high = top + line * 1.15, top + line * 1.6
    draw.rectangle((left, low, right, high), GRID)
    for part in row.parts:
        end = min(right, left + part.share * (box[2] - box[0]))
        if end - left >= 1:
            draw.rectangle((left, low, end, high), color[part.kind])
        left = end


def stacked(pictures: Sequence[Any]) -> Any:
    from PIL import Image

    whole = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)), GROUND)
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole
