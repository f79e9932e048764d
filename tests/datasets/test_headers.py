from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from musubi_nodes.datasets.headers import header_facts

Make = Callable[..., Path]
FORMS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("png", "RGB", {}), ("png", "P", {}), ("png", "RGBA", {}), ("jpg", "RGB", {}), ("jpg", "L", {}),
    ("jpg", "RGB", {"progressive": True}), ("jpg", "CMYK", {}), ("jpg", "RGB", {"exif": b"Exif\0\0" + b"x" * 60_000}),
    ("jpg", "RGB", {"icc_profile": b"p" * 200_000}), ("webp", "RGB", {}), ("webp", "RGBA", {"lossless": True}),
    ("webp", "RGBA", {}), ("webp", "RGB", {"exif": b"Exif\0\0" + b"x" * 600}),
)  # fmt: skip


@pytest.mark.parametrize(("ending", "mode", "options"), FORMS, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (37, 5), (300, 1023)])
def test_the_size_is_what_pillow_says(
    tmp_path: Path, ending: str, mode: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new(mode, size).save(path, **options)
    with Image.open(path) as image:
        assert header_facts(str(path)).size == image.size == size


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
