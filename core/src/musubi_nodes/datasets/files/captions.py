"""Captions as musubi-tuner reads them: stripped UTF-8, with its BOM."""

from __future__ import annotations

import os
from collections.abc import Iterable

from musubi_nodes.datasets.files.file_cache import FileCache
from musubi_nodes.datasets.files.listing import File
from musubi_nodes.files import CAPTION, CHANGES_ARE_TIMED, READ


def read_captions(files: Iterable[File]) -> list[str | None]:
    """Read each; None if it isn't UTF-8 or is unreadable."""
    return ANSWERS.of(files)


def is_empty(caption: str) -> bool:
    return not caption.strip("\ufeff \t\r\n")


def is_marked(caption: str) -> bool:
    """Whether a byte order mark becomes part of the caption."""
    return caption.startswith("\ufeff")


def _read(file: File) -> str | None:
    if not 0 <= file.size <= CAPTION.most:
        return None
    try:
        handle = os.open(file.path, READ)
        try:
            data = part = os.read(handle, file.size + 1)
            while part and file.size != len(data) <= CAPTION.most:
                data += (part := os.read(handle, 1 << 16))
        finally:
            os.close(handle)
        text = data.decode("utf-8")
    except (OSError, ValueError):
        return None
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).strip()


ANSWERS = FileCache(_read, always=not CHANGES_ARE_TIMED)
