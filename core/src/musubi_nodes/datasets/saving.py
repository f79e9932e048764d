"""Writes a dataset TOML of the user's without losing what somebody wrote into the one that lies there."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from musubi_nodes.config import cache_folder
from musubi_nodes.files import TOML, publish, read_bytes, write_text
from musubi_nodes.parsing import TOML_STRING_OR_COMMENT


def save_toml(path: Path, text: str) -> Path | None:
    """Write ``text``; an old file that was not written here, or was edited since, is kept as ``.bak``, whose path
    is returned.

    tomli-w writes no comments, so that they cannot be carried over; an older ``.bak`` is kept as well.
    """
    old, note = _read(path), _note(path)
    if old == text:
        return None
    edited = old is None or bool(old and _read(note) != _digest(old))
    kept = publish(path, path.parent, f"{path.name}.bak") if edited else None
    write_text(path, text)
    with suppress(OSError):  # then the next time keeps one file too many
        write_text(note, _digest(text))
    return kept


def _note(path: Path) -> Path:
    """Where it is noted what was written last to ``path``."""
    return cache_folder() / "written" / _digest(str(path.absolute()))[:24]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def has_comments(text: str) -> bool:
    """Whether TOML ``text`` has a ``#`` outside of its strings."""
    return any(found["comment"] for found in TOML_STRING_OR_COMMENT.finditer(text))


def holds_comments(path: Path) -> bool:
    """The same for a file; one that is not there or not UTF-8 has none."""
    return path.suffix.lower() == ".toml" and has_comments(_read(path) or "")


def _read(path: Path) -> str | None:
    """The file's text; an empty one where there is no file, None where it is not UTF-8."""
    try:
        return read_bytes(path, TOML).decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return None
