"""Draws contact sheets that stay legible at half size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from musubi_nodes.media.fonts import drawable, font_for, has_letter
from musubi_nodes.media.wrapping import shortened, wrapped

# Greys with contrast on light and dark pages.
_GROUND, _CARD, _HOLE = (52, 54, 58), (70, 73, 78), (60, 62, 66)
_DONE = (66, 104, 84)  # as dark as the cards
_TEXT, _MUTED, _WARNING = (240, 240, 240), (182, 186, 192), (255, 196, 92)
# ground, line, letters
_BADGES = {True: (_DONE, None, _TEXT), False: (None, _MUTED, _MUTED), None: (None, _WARNING, _WARNING)}
_LINES = 4
NO_LETTERS = "(no font here has these letters; see the text)"


@dataclass(frozen=True)
class Marks:
    """A row of badges: a word, and whether it applies; None: no longer."""

    label: str
    badges: Sequence[tuple[str, bool | None]]

    def text(self) -> str:
        return self.label + "".join(word for word, _ in self.badges)


@dataclass(frozen=True)
class Cell:
    pictures: Sequence[Any]
    title: str
    facts: Sequence[str]
    caption: str
    warning: str = ""
    marks: Sequence[Marks] = ()


@dataclass(frozen=True)
class _Style:
    side: int
    font: Any
    small: Any

    @property
    def gap(self) -> int:
        return max(4, self.side // 24)

    @property
    def inner(self) -> int:
        return self.side - 2 * self.gap

    @property
    def line(self) -> int:
        return _line(self.font)

    @property
    def small_line(self) -> int:
        return _line(self.small)

    @property
    def mark_line(self) -> int:
        return self.small_line + self.gap


def sheet(cells: Sequence[Cell], columns: int, side: int, heading: str) -> Any:
    """Draw a sheet of cards ``side`` pixels wide."""
    from PIL import Image, ImageDraw

    text = (
        heading + NO_LETTERS + "".join(cell.title + "".join(cell.facts) + cell.caption + cell.warning for cell in cells)
    ) + "".join(marks.text() for cell in cells for marks in cell.marks)
    style = _Style(side, font_for(text, max(12, side // 13)), font_for(text, max(11, side // 16)))
    columns = max(1, min(columns, len(cells)))
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    pictures = [max(_picture_height(cell, style) for cell in row) for row in rows]
    marks = [max(len(cell.marks) for cell in row) * style.mark_line for row in rows]
    texts = [max(_text_height(_texts(cell, style)) for cell in row) for row in rows]
    heights = [sum(parts) + 3 * style.gap for parts in zip(pictures, marks, texts, strict=True)]
    top = style.line + 2 * style.gap
    width = columns * side + (columns + 1) * style.gap
    whole = Image.new("RGB", (width, top + sum(heights) + len(rows) * style.gap), _GROUND)
    draw = ImageDraw.Draw(whole)
    head = shortened(drawable(heading, style.font) or "dataset", width - 2 * style.gap, style.font.getlength)
    draw.text((style.gap, style.gap), head, _TEXT, style.font)
    for row, height, picture, marked in zip(rows, heights, pictures, marks, strict=True):
        for number, cell in enumerate(row):
            left = style.gap + number * (side + style.gap)
            draw.rounded_rectangle((left, top, left + side - 1, top + height - 1), style.gap, _CARD)
            inner = (left + style.gap, top + style.gap)
            _paste(whole, draw, cell.pictures, inner, (style.inner, picture), style)
            _mark(draw, cell.marks, (inner[0], inner[1] + picture + style.gap // 2), style)
            _write(draw, cell, (inner[0], inner[1] + picture + marked + style.gap), style)
        top += height + style.gap
    return whole


def _mark(draw: Any, rows: Sequence[Marks], at: tuple[int, int], style: _Style) -> None:
    """Draw badges: filled applies, outlined doesn't, warning no longer does."""
    end, pad = at[0] + style.inner, style.gap // 2
    for number, marks in enumerate(rows):
        left, top = at[0], at[1] + number * style.mark_line
        draw.text((left, top + pad // 2), marks.label, _MUTED, style.small)
        left += int(style.small.getlength(marks.label)) + style.gap
        for word, is_so in marks.badges:
            right = left + int(style.small.getlength(word)) + 2 * pad
            if right > end:
                break
            box, shape = (left, top, right, top + style.mark_line - pad), style.gap // 2
            fill, line, color = _BADGES[is_so]
            draw.rounded_rectangle(box, shape, fill, line)
            draw.text((left + pad, top + pad // 2), word, color, style.small)
            left = right + pad


def _write(draw: Any, cell: Cell, at: tuple[int, int], style: _Style) -> None:
    below = at[1]
    for text, color, font, line in _texts(cell, style):
        draw.text((at[0], below), text, color, font)
        below += line


def _paste(
    whole: Any, draw: Any, pictures: Sequence[Any], at: tuple[int, int], room: tuple[int, int], style: _Style
) -> None:
    if not pictures:
        draw.rounded_rectangle((*at, at[0] + room[0], at[1] + room[1]), style.gap // 2, _HOLE)
        draw.text((at[0] + room[0] / 2, at[1] + room[1] / 2), "?", _MUTED, style.font, anchor="mm")
        return
    places, size = _places([picture.size for picture in pictures], style.inner)
    left, top = at[0] + (room[0] - size[0]) // 2, at[1] + (room[1] - size[1]) // 2
    for picture, (x, y, width, height) in zip(pictures, places, strict=True):
        whole.paste(picture.resize((width, height)), (left + x, top + y))


def _places(sizes: Sequence[tuple[int, int]], side: int) -> tuple[list[tuple[int, int, int, int]], tuple[int, int]]:
    """Place the first big, others half as large below or beside it."""
    width, height = sizes[0]
    if len(sizes) == 1:
        scale = side / max(width, height)
        big = (max(1, int(width * scale)), max(1, int(height * scale)))
        return [(0, 0, *big)], big
    space = max(2, side // 64)
    lying = width >= height
    scale = min(side / width, (side - space) / (height * 1.5)) if lying else min(side / height, side / (width * 1.5))
    big = (max(2, int(width * scale)), max(2, int(height * scale)))
    half = ((big[0] - space) // 2, int(big[1] / 2)) if lying else (int(big[0] / 2), (big[1] - space) // 2)
    places = [(0, 0, *big)]
    for number in range(len(sizes) - 1):
        step = number * ((half[0] if lying else half[1]) + space)
        places.append((step, big[1] + space, *half) if lying else (big[0] + space, step, *half))
    return places, (big[0], big[1] + space + half[1]) if lying else (big[0] + space + half[0], big[1])


def _picture_height(cell: Cell, style: _Style) -> int:
    return _places([p.size for p in cell.pictures], style.inner)[1][1] if cell.pictures else style.inner // 2


def _line(font: Any) -> int:
    high = "".join(letter for letter in "Ágあ" if has_letter(font, letter))
    return int(font.getbbox(high or "?")[3] * 1.18)


_Text = tuple[str, tuple[int, int, int], Any, int]


def _text_height(texts: Sequence[_Text]) -> int:
    return sum(line for *_, line in texts)


def _texts(cell: Cell, style: _Style) -> list[_Text]:
    room = style.inner
    small = [(cell.title, _MUTED), *((fact, _MUTED) for fact in cell.facts), (cell.warning, _WARNING)]
    texts: list[_Text] = [
        (shortened(drawable(text, style.small), room, style.small.getlength), color, style.small, style.small_line)
        for text, color in small
        if text
    ]
    caption = drawable(cell.caption, style.font) or (NO_LETTERS if cell.caption.strip() else "")
    lines = wrapped(caption, room, _LINES, style.font.getlength)
    return texts + [(line, _TEXT, style.font, style.line) for line in lines]
