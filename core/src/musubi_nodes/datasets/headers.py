"""Width and height from the first bytes of PNG, JPEG and WebP: a hundred times faster than asking Pillow.

What these few lines do not understand is left to Pillow, whose answer counts: musubi-tuner opens images with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from struct import unpack_from

from musubi_nodes.datasets.listing import READ

FIRST = 512
_PIXELS = 80_000_000  # Pillow warns of bombs above 89 million pixels: such a one is its business
_START_OF_FRAME = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length


def header_size(path: str) -> tuple[int, int] | None:
    """Width and height as stored, or None where Pillow must be asked. Raises OSError."""
    file = os.open(path, READ)
    try:
        first = os.read(file, FIRST)
        size = _jpeg(first, file) if first.startswith(b"\xff\xd8\xff") else _fixed(first)
    finally:
        os.close(file)
    return size if size and 0 < size[0] * size[1] < _PIXELS else None


def _fixed(first: bytes) -> tuple[int, int] | None:
    if first.startswith(b"\x89PNG\r\n\x1a\n") and first[12:16] == b"IHDR" and len(first) >= 33:
        return unpack_from(">II", first, 16)
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP" and len(first) >= 30:
        read = _WEBP.get(first[12:16])
        return read(first) if read else None
    return None


def _lossy(first: bytes) -> tuple[int, int] | None:
    if first[23:26] != b"\x9d\x01\x2a":
        return None
    width, height = unpack_from("<HH", first, 26)
    return width & 0x3FFF, height & 0x3FFF


def _lossless(first: bytes) -> tuple[int, int] | None:
    if first[20] != 0x2F:
        return None
    (bits,) = unpack_from("<I", first, 21)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _extended(first: bytes) -> tuple[int, int]:
    return int.from_bytes(first[24:27], "little") + 1, int.from_bytes(first[27:30], "little") + 1


_WEBP: dict[bytes, Callable[[bytes], tuple[int, int] | None]] = {
    b"VP8 ": _lossy,
    b"VP8L": _lossless,
    b"VP8X": _extended,
}


def _jpeg(first: bytes, file: int) -> tuple[int, int] | None:
    """Walks from segment to segment; one that reaches beyond ``first`` (a camera's preview) is skipped, not read."""
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
            return width, height
        if marker in _BARE or marker == 0xFF:
            return None
        at += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
