"""Sizes and lengths from the headers of media files, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.probe import VideoFacts, probe

_WORKERS = 8
_Fact = TypeVar("_Fact")


def image_sizes(paths: Iterable[Path]) -> dict[Path, tuple[int, int] | MusubiError]:
    """Width and height of each image as stored (EXIF rotation is not applied, as upstream), or why not."""
    return _all(image_size, paths)


def video_facts(paths: Iterable[Path]) -> dict[Path, VideoFacts | MusubiError]:
    """Facts of each video; a folder of images counts its images and has no fps. Or why not."""
    return _all(_video, paths)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height from the header; :class:`MusubiError` if Pillow cannot read it."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise MusubiError(f"{path} cannot be read", why=str(error)) from error
    if found.st_size == 0:
        raise MusubiError(f"{path} is empty (0 bytes)")
    return _image_size(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=65536)
def _image_size(path: Path, size: int, mtime_ns: int) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:  # Pillow's plugins raise anything, from SyntaxError to struct.error
        raise MusubiError(f"{path} is no image that Pillow can read", why=str(error)[:200]) from error


def _video(path: Path) -> VideoFacts:
    if not path.is_dir():
        return probe(path)
    from musubi_nodes.datasets.names import is_image

    images = sorted(entry for entry in path.iterdir() if is_image(entry.name))
    if not images:
        raise MusubiError(f"the folder {path} holds no images")
    width, height = image_size(images[0])
    return VideoFacts(width, height, 0.0, len(images), 0.0)


def _all(fact: Callable[[Path], _Fact], paths: Iterable[Path]) -> dict[Path, _Fact | MusubiError]:
    def safe(path: Path) -> _Fact | MusubiError:
        try:
            return fact(path)
        except MusubiError as error:
            return error

    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="media-facts") as pool:
        return dict(zip(unique, pool.map(safe, unique), strict=True))
