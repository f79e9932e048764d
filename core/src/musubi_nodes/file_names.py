"""Checks of file names that a user types."""

from __future__ import annotations

import os
import re

from musubi_nodes.errors import CONTROLS, InvalidValue, MusubiError
from musubi_nodes.windows_names import meaning_on_windows

LONGEST_NAME = 180
"""Bytes. File systems take 255; samples add some 50."""
REFUSED = re.compile(rf'[<>:"/\\|?*\n\t]|{CONTROLS.pattern}')
"""What Windows, exFAT and most network shares refuse."""
WEIGHTS = (".safetensors",)
MEDIA = (".mp4", ".webm", ".mkv", ".mov", ".gif", ".webp", ".png")


def checked_name(name: str, what: str, *endings: str) -> str:
    """Strip ``endings``; MusubiError for an invalid name."""
    try:
        return plain_name(name, *endings)
    except InvalidValue as error:
        raise MusubiError(
            error.code,
            f"{what} {name[:80]!r} {error}",
            why="It becomes part of file names; otherwise musubi-tuner loses the whole training at its first save.",
            fix="Choose another name, without a folder.",
        ) from None


def plain_name(name: str, *endings: str) -> str:
    """Strip ``endings``; InvalidValue for an invalid name."""
    while ending := next((each for each in endings if name.lower().endswith(each)), ""):
        name = name[: -len(ending)]
    if wrong := _wrong(name):
        raise InvalidValue("file-name-invalid", f"is not a plain file name: {wrong}")
    return name


def _wrong(name: str) -> str:
    if not name:
        return "it is empty"
    try:
        size = max(len(os.fsencode(name)), len(name.encode()))
    except UnicodeEncodeError as error:
        return f"file names on this system cannot contain {name[error.start]!r}"
    if size > LONGEST_NAME:
        return f"it has {size} bytes; at most {LONGEST_NAME} are possible"
    if found := REFUSED.search(name):
        return f"it holds {found[0]!r}"
    if name[0] in ".- ":
        return f"it begins with {name[0]!r}"
    if name[-1] in ". ":
        return f"it ends with {name[-1]!r}"
    meaning = meaning_on_windows(name)
    return f"on Windows it {meaning}" if meaning else ""
