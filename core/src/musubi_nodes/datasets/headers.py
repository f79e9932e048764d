"""What the first bytes of PNG, JPEG and WebP tell of an image: a hundred times faster than asking Pillow.

What these few lines do not understand is left to Pillow, whose answer counts: musubi-tuner opens images with it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from struct import unpack_from
from typing import Literal, NamedTuple

from musubi_nodes.datasets.listing import READ

FIRST = 512
_PIXELS = 80_000_000  # Pillow warns of bombs above 89 million pixels: such a one is its business
_START_OF_FRAME = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_ORIENTATION = 0x0112
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length


Odd = Literal["", "alpha", "grey16", "rotated", "animated"]
"""What is seen otherwise than its owner expects: with an alpha channel, in grey of 16 bits, with a rotation in EXIF,
several pictures."""


class ImageFacts(NamedTuple):
    """Width and height as stored (EXIF rotation is not applied, as upstream), and what is odd."""

    size: tuple[int, int]
    odd: Odd = ""


def header_facts(path: str) -> ImageFacts | None:
    """What the header says, or None where Pillow must be asked. Raises OSError."""
    file = os.open(path, READ)
    try:
        first = os.read(file, FIRST)
        facts = _jpeg(first, file) if first.startswith(b"\xff\xd8\xff") else _fixed(first)
    finally:
        os.close(file)
    return facts if facts and 0 < facts[0][0] * facts[0][1] < _PIXELS else None


def _fixed(first: bytes) -> ImageFacts | None:
    if first.startswith(b"\x89PNG\r\n\x1a\n") and first[12:16] == b"IHDR" and len(first) >= 33:
        return ImageFacts(unpack_from(">II", first, 16), _PNG.get(first[24:26], ""))
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP" and len(first) >= 30:
        read = _WEBP.get(first[12:16])
        return read(first) if read else None
    return None


_PNG: dict[bytes, Odd] = {b"\x10\0": "grey16", **{bytes(form): "alpha" for form in ((8, 4), (8, 6), (16, 4), (16, 6))}}
"""By bits of a channel and type of colour. Pillow keeps 16 bits of pure grey only, whose ``convert("RGB")`` cuts them
off at 255."""


def _lossy(first: bytes) -> ImageFacts | None:
    if first[23:26] != b"\x9d\x01\x2a":
        return None
    width, height = unpack_from("<HH", first, 26)
    return ImageFacts((width & 0x3FFF, height & 0x3FFF))


def _lossless(first: bytes) -> ImageFacts | None:
    if first[20] != 0x2F:
        return None
    (bits,) = unpack_from("<I", first, 21)
    return ImageFacts(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), "alpha" if bits & 1 << 28 else "")


def _extended(first: bytes) -> ImageFacts:
    size = int.from_bytes(first[24:27], "little") + 1, int.from_bytes(first[27:30], "little") + 1
    return ImageFacts(size, "animated" if first[20] & 0x02 else "alpha" if first[20] & 0x10 else "")


_WEBP: dict[bytes, Callable[[bytes], ImageFacts | None]] = {
    b"VP8 ": _lossy,
    b"VP8L": _lossless,
    b"VP8X": _extended,
}


def _jpeg(first: bytes, file: int) -> ImageFacts | None:
    """Walks from segment to segment; one that reaches beyond ``first`` (a camera's preview) is skipped, not read."""
    odd: Odd = ""
    data, begin, at = first, 0, 2  # ``data`` begins at ``begin`` of the file, ``at`` counts in the file
    for _ in range(200):
        if at - begin + 9 > len(data):
            os.lseek(file, at, os.SEEK_SET)
            data, begin = os.read(file, FIRST), at
        place = at - begin
        if len(data) < place + 9 or data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker in _START_OF_FRAME:
            height, width = unpack_from(">HH", data, place + 5)
            return ImageFacts((width, height), odd)
        if marker == 0xE1 and _is_rotated(data[place + 4 :]):
            odd = "rotated"
        if marker in _BARE or marker == 0xFF:
            return None
        at += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _is_rotated(segment: bytes) -> bool:
    """Whether the first directory of EXIF data turns the image, as far as its beginning tells."""
    if segment[:6] != b"Exif\0\0" or segment[6:8] not in (b"II", b"MM"):
        return False
    end = "<" if segment[6:8] == b"II" else ">"
    with suppress(struct.error):
        (at,) = unpack_from(f"{end}I", segment, 10)
        (entries,) = unpack_from(f"{end}H", segment, 6 + at)
        for entry in range(min(entries, 64)):
            tag, _, _, value = unpack_from(f"{end}HHIH", segment, 8 + at + 12 * entry)
            if tag == _ORIENTATION:
                return 2 <= value <= 8
    return False
