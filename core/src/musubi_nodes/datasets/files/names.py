"""Extensions of media (dataset/media_utils.py, v0.3.4)."""

from __future__ import annotations

import os
from pathlib import Path

from musubi_nodes.datasets.config.schema import Kind

# All lower or all upper case, as upstream lists them: on Linux and macOS "x.Png" is not seen.
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif")
_VIDEOS = (".mp4", ".webm", ".avi", ".mkv", ".mov", ".flv", ".wmv", ".m4v", ".mpg", ".mpeg")
IMAGE_EXTENSIONS = frozenset((*_IMAGES, *(ending.upper() for ending in _IMAGES)))
VIDEO_EXTENSIONS = frozenset((*_VIDEOS, *(ending.upper() for ending in _VIDEOS)))
MEDIA_EXTENSIONS: dict[Kind, frozenset[str]] = {"image": IMAGE_EXTENSIONS, "video": VIDEO_EXTENSIONS}
_ANY_CASE = os.name == "nt"


def stem_of(path: Path | str) -> str:
    """Return the stem that cache files use."""
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - pathlib differs for "a." and "a/"


def split(name: str) -> tuple[str, str]:
    """Split into stem and ending, lower case on Windows."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        return name, ""
    return stem, f".{ending.lower() if _ANY_CASE else ending}"


def has_ending(name: str, endings: frozenset[str]) -> bool:
    """Whether upstream's ``glob("*" + ending)`` finds ``name``."""
    return not name.startswith(".") and split(name)[1] in endings


def is_image(name: str) -> bool:
    return has_ending(name, IMAGE_EXTENSIONS)
