"""Caption files as musubi-tuner reads them: UTF-8, outer blanks removed, a byte order mark kept."""

from __future__ import annotations

import io
from pathlib import Path


def read_caption(path: Path) -> str | None:
    """The caption, or None if it is not UTF-8 or cannot be read."""
    try:
        return io.TextIOWrapper(io.BytesIO(path.read_bytes()), encoding="utf-8").read().strip()
    except (OSError, ValueError):
        return None


def is_empty(caption: str) -> bool:
    return not caption.strip("\ufeff \t\r\n")


def is_marked(caption: str) -> bool:
    """Whether an invisible byte order mark becomes part of the caption."""
    return caption.startswith("\ufeff")
