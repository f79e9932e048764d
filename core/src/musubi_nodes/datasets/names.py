"""Which file names musubi-tuner takes for images, videos and captions (dataset/media_utils.py, v0.3.4)."""

from __future__ import annotations

import os
from pathlib import Path

# All lower or all upper case, as upstream lists them: on Linux and macOS "x.Png" is not seen.
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".avif")
_VIDEOS = (".mp4", ".webm", ".avi", ".mkv", ".mov", ".flv", ".wmv", ".m4v", ".mpg", ".mpeg")
IMAGE_EXTENSIONS = frozenset((*_IMAGES, *(ending.upper() for ending in _IMAGES)))
VIDEO_EXTENSIONS = frozenset((*_VIDEOS, *(ending.upper() for ending in _VIDEOS)))


def stem_of(path: Path | str) -> str:
    """The name without its last ending, as it stands in the names of cache files."""
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - pathlib differs for "a." and "a/"


def has_ending(name: str, endings: frozenset[str]) -> bool:
    """Whether upstream's ``glob("*" + ending)`` finds ``name``: no hidden files; case counts except on Windows."""
    ending = os.path.splitext(name)[1]  # noqa: PTH122
    return not name.startswith(".") and (ending in endings or (os.name == "nt" and ending.lower() in endings))


def is_image(name: str) -> bool:
    return has_ending(name, IMAGE_EXTENSIONS)


def is_video(name: str) -> bool:
    return has_ending(name, VIDEO_EXTENSIONS)


def is_caption(name: str, extension: str) -> bool:
    return has_ending(name, frozenset((extension, extension.lower())) if os.name == "nt" else frozenset((extension,)))
