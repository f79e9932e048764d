from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from musubi_nodes.datasets.files.headers import header_facts

Make = Callable[..., Path]
FORMS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("png", "RGB", {}), ("png", "P", {}), ("png", "RGBA", {}), ("jpg", "RGB", {}), ("jpg", "L", {}),
    ("jpg", "RGB", {"progressive": True}), ("jpg", "CMYK", {}), ("jpg", "RGB", {"exif": b"Exif\0\0" + b"x" * 60_000}),
    ("jpg", "RGB", {"icc_profile": b"p" * 200_000}), ("webp", "RGB", {}), ("webp", "RGBA", {"lossless": True}),
    ("webp", "RGBA", {}), ("png", "RGB", {"dpi": (72, 72), "icc_profile": b"p" * 20_000}),
)  # fmt: skip
PILLOWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("webp", "RGB", {"exif": b"Exif\0\0" + b"x" * 600}), ("png", "RGB", {"exif": b"Exif\0\0" + b"x" * 600}),
    ("png", "P", {"transparency": 0}), ("png", "L", {"transparency": 7, "icc_profile": b"p" * 20_000}),
    ("png", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (9, 9), "red")]}),
)  # fmt: skip
"""What the header alone does not tell: a rotation behind the pixels, transparent colours, several pictures."""


@pytest.mark.parametrize(("ending", "mode", "options"), FORMS, ids=lambda value: ascii(value)[:40])
@pytest.mark.parametrize("size", [(1, 1), (37, 5), (300, 1023)])
def test_the_size_is_what_pillow_says(
    tmp_path: Path, ending: str, mode: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new(mode, size).save(path, **options)
    with Image.open(path) as image:
        assert header_facts(str(path)).size == image.size == size


@pytest.mark.parametrize(("ending", "mode", "options"), PILLOWS, ids=range(len(PILLOWS)))
def test_what_changes_how_an_image_is_seen_is_left_to_pillow(
    tmp_path: Path, ending: str, mode: str, options: dict[str, Any]
) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new(mode, (9, 9)).save(path, **options)
    assert header_facts(str(path)) is None


@pytest.mark.parametrize("comment", [0, 100, 200, 230, 300, 1000])
@pytest.mark.parametrize("later", [0, 100, 300, 600], ids=lambda later: f"directory {later} bytes later")
def test_a_rotation_is_seen_wherever_the_exif_data_lie(tmp_path: Path, comment: int, later: int) -> None:
    path, orientation = tmp_path / "a.jpg", struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    directory = b"II*\0" + struct.pack("<I", 8 + later) + b"x" * later + struct.pack("<H", 1) + orientation + b"\0" * 4
    Image.new("RGB", (8, 6)).save(path, comment=b"c" * comment, exif=b"Exif\0\0" + directory)
    data = path.read_bytes()
    place = data.index(b"\xff\xe1")
    segment = data[place : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
    said = b"\xff\xfe" + struct.pack(">H", comment + 2) + b"c" * comment
    path.write_bytes(data[:2] + said + segment + data[2:].replace(segment, b""))  # the comment before it
    assert header_facts(str(path)) == ((8, 6), "rotated")


def test_what_only_begins_like_webp_is_left_to_pillow(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.new("RGB", (8, 6)).save(path)
    assert header_facts(str(path))
    path.write_bytes(b"RIFX" + path.read_bytes()[4:])
    assert header_facts(str(path)) is None


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_a_cut_or_foreign_file_is_left_to_pillow_or_read_rightly(tmp_path: Path, ending: str) -> None:
    whole = io.BytesIO()
    Image.new("RGB", (40, 30)).save(whole, {"jpg": "JPEG"}.get(ending, ending.upper()))
    path = tmp_path / f"a.{ending}"
    for length in range(len(whole.getvalue())):
        path.write_bytes(whole.getvalue()[:length])
        assert (header_facts(str(path)) or [None])[0] in (None, (40, 30))


def test_a_bomb_is_left_to_pillow(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (10_000, 9_000)).save(path)
    assert header_facts(str(path)) is None
