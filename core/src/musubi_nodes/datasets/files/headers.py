"""Parses PNG, JPEG and WebP headers, a hundred times faster than Pillow.

Anything unusual is left to Pillow, which musubi-tuner uses.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from struct import unpack_from
from typing import Literal, NamedTuple

from musubi_nodes.files import READ

FIRST = 256
_PIXELS = 80_000_000  # Pillow warns above 89 million pixels
_EXIF, ORIENTATION = 0xFFE1, 0x0112
TURNED = range(2, 9)  # values that turn or mirror
_START_OF_FRAME = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
_SEGMENTS = frozenset(range(0xFF00, 0xFFFF)) - {0xFF01, *range(0xFFD0, 0xFFD8)}  # the others have no length


ImageIssue = Literal["", "alpha", "grey16", "rotated", "animated"]


class ImageFacts(NamedTuple):
    """Stored width and height (without EXIF rotation), and an issue."""

    size: tuple[int, int]
    odd: ImageIssue = ""


def header_facts(path: str) -> ImageFacts | None:
    """Parse a header; None if Pillow must."""
    file = os.open(path, READ)
    try:
        first = os.read(file, FIRST)
        read = _BEGINNINGS.get(first[:3]) if len(first) >= 33 else None
        facts = read(first, file) if read else None
    finally:
        os.close(file)
    if facts is None:
        return None
    (width, height), _ = facts
    return facts if 0 < width * height < _PIXELS else None


def _png(first: bytes, file: int) -> ImageFacts | None:
    beginning, width, height, form = _IHDR(first)
    if beginning != _PNG_BEGINS or not (first[37:41] == b"IDAT" or _is_plain_png(first, file)):
        return None
    return _made(((width, height), _PNG.get(form, "")))


def _is_plain_png(first: bytes, file: int) -> bool:
    """Whether no chunk before the pixels changes their meaning."""
    data, begin, at = first, 0, 33  # ``data`` begins at ``begin`` of the file, ``at`` counts in the file
    for _ in range(_PNG_CHUNKS):
        if at - begin + 8 > len(data):
            os.lseek(file, at, os.SEEK_SET)
            data, begin = os.read(file, FIRST), at
            if len(data) < 8:
                return False
        length, kind = _CHUNK(data, at - begin)
        if kind == b"IDAT":
            return True
        if kind in _PNG_CHANGES:
            return False
        at += 12 + length
    return False


def _webp(first: bytes, _: int) -> ImageFacts | None:
    read = _WEBP.get(first[8:16]) if first[3] == ord("F") else None
    return read(first) if read else None


_made: Callable[[tuple[tuple[int, int], ImageIssue]], ImageFacts] = partial(tuple.__new__, ImageFacts)  # half the time
_IHDR = struct.Struct(">16sII2s").unpack_from
_CHUNK = struct.Struct(">I4s").unpack_from
_PNG_CHUNKS = 100
_PNG_CHANGES = frozenset({b"tRNS", b"eXIf", b"acTL"})  # transparent colours, EXIF, animation
_PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG: dict[bytes, ImageIssue] = {
    b"\x10\0": "grey16",
    **{bytes(form): "alpha" for form in ((8, 4), (8, 6), (16, 4), (16, 6))},
}
"""By bit depth and colour type; Pillow clips 16-bit grey at 255."""


def _lossy(first: bytes) -> ImageFacts | None:
    if first[23:26] != b"\x9d\x01\x2a":
        return None
    width, height = unpack_from("<HH", first, 26)
    return _made(((width & 0x3FFF, height & 0x3FFF), ""))


def _lossless(first: bytes) -> ImageFacts | None:
    if first[20] != 0x2F:
        return None
    (bits,) = unpack_from("<I", first, 21)
    return ImageFacts(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), "alpha" if bits & 1 << 28 else "")


def _extended(first: bytes) -> ImageFacts | None:
    if first[20] & 0x08:
        return None  # EXIF data follow the pixels
    size = int.from_bytes(first[24:27], "little") + 1, int.from_bytes(first[27:30], "little") + 1
    return ImageFacts(size, "animated" if first[20] & 0x02 else "alpha" if first[20] & 0x10 else "")


_WEBP: dict[bytes, Callable[[bytes], ImageFacts | None]] = {
    b"WEBPVP8 ": _lossy,
    b"WEBPVP8L": _lossless,
    b"WEBPVP8X": _extended,
}


def _jpeg(first: bytes, file: int) -> ImageFacts | None:
    """Walk segments; long ones are skipped, not read."""
    odd: ImageIssue = ""
    data, begin, at = first, 0, 2  # ``data`` begins at ``begin`` of the file, ``at`` counts in the file
    for _ in range(200):
        place = at - begin
        if place + 9 > len(data):
            os.lseek(file, at, os.SEEK_SET)
            data, begin, place = os.read(file, FIRST), at, 0
            if len(data) < 9:
                return None
        marker, length, _, height, width = _SEGMENT(data, place)
        if marker in _START_OF_FRAME:
            return _made(((width, height), odd))
        if marker == _EXIF and _is_rotated(_segment(data, place, length, file, at)):
            odd = "rotated"
        if marker not in _SEGMENTS:
            return None
        at += 2 + length
    return None


_SEGMENT = struct.Struct(">HHBHH").unpack_from  # marker, length; in a start of frame depth, height, width
_BEGINNINGS = {b"\xff\xd8\xff": _jpeg, b"\x89PN": _png, b"RIF": _webp}


def _segment(data: bytes, place: int, length: int, file: int, at: int) -> bytes:
    if place + 2 + length <= len(data):
        return data[place + 4 :]
    os.lseek(file, at + 4, os.SEEK_SET)
    return os.read(file, 4 * FIRST)


def _is_rotated(segment: bytes) -> bool:
    """Whether EXIF's first directory turns the image."""
    if segment[:6] != b"Exif\0\0" or segment[6:8] not in (b"II", b"MM"):
        return False
    end = "<" if segment[6:8] == b"II" else ">"
    with suppress(struct.error):
        (at,) = unpack_from(f"{end}I", segment, 10)
        (entries,) = unpack_from(f"{end}H", segment, 6 + at)
        for entry in range(min(entries, 64)):
            tag, _, _, value = unpack_from(f"{end}HHIH", segment, 8 + at + 12 * entry)
            if tag == ORIENTATION:
                return value in TURNED
    return False
