"""Writes a dataset TOML of the user's without losing the comments of the one that lies there."""

from __future__ import annotations

import re
from pathlib import Path

from musubi_nodes.files import publish, write_text

_STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"""' r"|'''.*?'''" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'" r"|(?P<comment>#)", re.DOTALL
)


def save_toml(path: Path, text: str) -> Path | None:
    """Write ``text``; where the old file had comments, it is kept beside as ``.bak``, whose path is returned.

    tomli-w writes no comments, so that they cannot be carried over; an older ``.bak`` is kept as well.
    """
    old = _read(path)
    if old == text:
        return None
    kept = publish(path, path.parent, f"{path.name}.bak") if old is None or has_comments(old) else None
    write_text(path, text)
    return kept


def has_comments(text: str) -> bool:
    """Whether TOML ``text`` has a ``#`` outside of its strings."""
    return any(found["comment"] for found in _STRING_OR_COMMENT.finditer(text))


def holds_comments(path: Path) -> bool:
    """The same for a file; one that is not there or not UTF-8 has none."""
    return path.suffix.lower() == ".toml" and has_comments(_read(path) or "")


def _read(path: Path) -> str | None:
    """The file's text; an empty one where there is no file, None where it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return None
