"""What the headers of media files tell, such as sizes and lengths, and which of them cannot be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from musubi_nodes.datasets.headers import ImageFacts, Odd, header_facts
from musubi_nodes.datasets.listing import File, images_in
from musubi_nodes.errors import MusubiError
from musubi_nodes.media.probe import VideoFacts, probe

KEPT = 1 << 18
"""So many answers are kept while size and time of their files stay the same."""

_WORKERS = 8
_TRIED = 64
_SLOW = 0.0005  # seconds a file: above it the disk is waited for, not Python, and threads help
_Fact = TypeVar("_Fact")


def facts_of_images(files: Iterable[File]) -> list[ImageFacts | MusubiError]:
    """Size of each and what is odd, or why it cannot be read."""
    return each_file(_or_why_not(image_facts), files)


def video_facts(files: Iterable[File]) -> dict[Path, VideoFacts | MusubiError]:
    """Facts of each video; a folder of images counts its images and has no fps. Or why not."""
    unique = list(dict.fromkeys(files))
    return dict(zip((Path(file.path) for file in unique), each_file(_or_why_not(_video), unique), strict=True))


@lru_cache(maxsize=KEPT)
def image_facts(file: File) -> ImageFacts:
    """What the header tells; :class:`MusubiError` if Pillow cannot read it."""
    if file.size == 0:
        raise MusubiError(f"{file.path} is empty (0 bytes)")
    try:
        return header_facts(file.path) or _by_pillow(file.path)
    except (OSError, ValueError) as error:
        raise MusubiError(f"{file.path} cannot be read", why=str(error)) from error


_ODD_MODES: dict[str, Odd] = {"RGBA": "alpha", "LA": "alpha", "PA": "alpha", "I": "grey16", "I;16": "grey16"}


def _by_pillow(path: str) -> ImageFacts:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return ImageFacts(image.size, _ODD_MODES.get(image.mode, ""))
    except Exception as error:  # Pillow's plugins raise anything, from SyntaxError to struct.error
        raise MusubiError(f"{path} is no image that Pillow can read", why=str(error)[:200]) from error


def _video(file: File) -> VideoFacts:
    if not file.is_folder:
        return probe(Path(file.path))
    images = images_in(file.path)
    if not images:
        raise MusubiError(f"the folder {file.path} holds no images")
    width, height = image_facts(images[0]).size
    return VideoFacts(width, height, 0.0, len(images), 0.0)


def each_file(ask: Callable[[File], _Fact], files: Iterable[File]) -> list[_Fact]:
    """The answers in order: one after the other where files are read at once, many at a time where they are waited for
    (a network drive, a disk that was not read before, ffmpeg)."""
    todo = list(files)
    found: list[_Fact] = []
    end = time.perf_counter() + _TRIED * _SLOW
    for file in todo[:_TRIED]:
        found.append(ask(file))
        if time.perf_counter() > end:
            break
    rest = todo[len(found) :]
    if time.perf_counter() <= end:
        return found + [ask(file) for file in rest]
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="media-facts") as pool:
        return found + list(pool.map(ask, rest))


def _or_why_not(fact: Callable[[File], _Fact]) -> Callable[[File], _Fact | MusubiError]:
    def ask(file: File) -> _Fact | MusubiError:
        try:
            return fact(file)
        except MusubiError as error:
            return error

    return ask
