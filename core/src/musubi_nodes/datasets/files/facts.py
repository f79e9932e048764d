"""Facts from headers of media files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from musubi_nodes.datasets.files.file_cache import FileCache, each_file
from musubi_nodes.datasets.files.headers import ORIENTATION, TURNED, ImageFacts, ImageIssue, header_facts
from musubi_nodes.datasets.files.listing import File, images_in
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import unreadable
from musubi_nodes.media.pictures import opened_picture
from musubi_nodes.media.probe import VideoFacts, probe

if TYPE_CHECKING:
    from PIL.Image import Image


def facts_of_images(files: Iterable[File]) -> list[ImageFacts | MusubiError]:
    """Return facts of each, or why it can't be read."""
    return ANSWERS.of(files)


def image_facts(file: File) -> ImageFacts:
    (found,) = facts_of_images([file])
    if isinstance(found, MusubiError):
        raise found
    return found


def video_facts(files: Iterable[File]) -> dict[Path, VideoFacts | MusubiError]:
    """Return facts of each, or an error; image folders have no fps."""
    unique = list(dict.fromkeys(files))
    return dict(zip((Path(file.path) for file in unique), each_file(_video_or_why_not, unique), strict=True))


def _image(file: File) -> ImageFacts | MusubiError:
    try:
        return header_facts(file.path) or _by_pillow(file)
    except (OSError, ValueError) as error:
        return MusubiError(unreadable(error), f"{file.path} cannot be read", why=str(error))


ANSWERS = FileCache(_image)


_ODD_MODES: dict[str, ImageIssue] = {"RGBA": "alpha", "LA": "alpha", "PA": "alpha", "I": "grey16", "I;16": "grey16"}


def _by_pillow(file: File) -> ImageFacts | MusubiError:
    if file.size == 0:
        return MusubiError("file-empty", f"{file.path} is empty (0 bytes)")
    try:
        with opened_picture(Path(file.path)) as image:
            return ImageFacts(image.size, _odd(image))
    except MusubiError as error:
        return error


def _odd(image: Image) -> ImageIssue:
    with suppress(Exception):  # broken EXIF data
        if image.getexif().get(ORIENTATION) in TURNED:
            return "rotated"
    if getattr(image, "is_animated", False):
        return "animated"
    return _ODD_MODES.get(image.mode, "alpha" if "transparency" in image.info else "")


def _video(file: File) -> VideoFacts:
    if not file.is_folder:
        return probe(Path(file.path))
    images = images_in(file.path)
    if not images:
        raise MusubiError("folder-empty", f"the folder {file.path} contains no images")
    (width, height), _ = image_facts(images[0])
    return VideoFacts(width, height, 0.0, len(images), 0.0)


def _video_or_why_not(file: File) -> VideoFacts | MusubiError:
    try:
        return _video(file)
    except MusubiError as error:
        return error
