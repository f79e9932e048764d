"""Finds the media file that crashed a cache script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes.datasets.scan.caches import missing_latents
from musubi_nodes.datasets.scan.items import Scan
from musubi_nodes.errors import Crashed, EndedFromOutside, MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.files import open_file
from musubi_nodes.media.ffmpeg import Ffmpeg, readable
from musubi_nodes.media.pictures import opened_picture
from musubi_nodes.runs.record.progress import Progress

_MEDIA = re.compile(
    r"(?i)UnidentifiedImageError|InvalidDataError|truncat|cannot identify|broken data|unrecognized data|decod|"
    r"broken PNG|bad (adaptive )?(huffman|header|crc)|not enough image data|DecompressionBomb"
)
"""Decoding errors of Pillow and PyAV."""
_DECODERS = re.compile(rb'File "[^"]*[\\/](PIL|av)[\\/]')
_LAST_BYTES = 1 << 16


def with_damaged_file(error: Crashed, found: Scan, architecture: str, context: Context) -> Crashed:
    """Add the damaged file to ``error``, if there is one."""
    if isinstance(error, EndedFromOutside) or not (_MEDIA.search(error.what) or _ended_in_a_decoder(error.log)):
        return error
    for path in _files(found, architecture):
        context.raise_if_interrupted()
        context.progress(Progress("looking for the damaged file"))
        if why := _wrong(path):
            return Crashed(
                "file-damaged",
                f"{path} is damaged: {why}",
                why=error.what,
                fix="Replace or remove the file, and queue again: what was cached stays.",
                log=error.log,
            )
    return error


def _ended_in_a_decoder(log: Path | None) -> bool:
    """Whether the last traceback goes through Pillow or PyAV."""
    if log is None:
        return False
    try:
        with open_file(log) as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            return bool(_DECODERS.search(file.read(_LAST_BYTES).rpartition(b"Traceback (most recent call last)")[2]))
    except OSError:
        return False


def _files(found: Scan, architecture: str) -> Iterator[Path]:
    """Yield media, items without a cache first."""
    missing = set(missing_latents(found, architecture))
    items = sorted(found.items, key=lambda item: item.path not in missing)
    yield from dict.fromkeys(Path(file.path) for item in items for file in item.media)


def _wrong(path: Path) -> str:
    if path.is_dir():
        return next((f"{each.name}: {why}" for each in sorted(path.iterdir()) if (why := _wrong(each))), "")
    from PIL import UnidentifiedImageError

    try:
        with opened_picture(path) as picture:
            picture.load()
    except MusubiError as error:
        return _wrong_video(path) if isinstance(error.__cause__, UnidentifiedImageError) else error.why
    return ""


def _wrong_video(path: Path) -> str:
    with Ffmpeg([*readable(path), "-map", "0:V:0", "-f", "null", "-"]) as run:
        code = run.wait()
        return run.said() if code or run.said() else ""
