"""Saves a dataset TOML without losing a user's edits."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from musubi_nodes.config import cache_folder
from musubi_nodes.files import TOML, publish, read_bytes, write_text
from musubi_nodes.parsing import TOML_STRING_OR_COMMENT


def save_toml(path: Path, text: str) -> Path | None:
    """Write ``text``; return the ``.bak`` of an edited file, if any."""
    old, note = _read(path), _note(path)
    if old == text:
        return None
    edited = old is None or bool(old and _read(note) != _digest(old))
    kept = publish(path, path.parent, f"{path.name}.bak") if edited else None
    write_text(path, text)
    with suppress(OSError):  # then the next save keeps a file too many
        write_text(note, _digest(text))
    return kept


def _note(path: Path) -> Path:
    return cache_folder() / "written" / _digest(str(path.absolute()))[:24]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def has_comments(text: str) -> bool:
    return any(found["comment"] for found in TOML_STRING_OR_COMMENT.finditer(text))


def toml_text(path: Path) -> str:
    """Return a TOML's text, "" if it is missing or of another type."""
    return (_read(path) or "").removeprefix("\ufeff") if path.suffix.lower() == ".toml" else ""


def _read(path: Path) -> str | None:
    """Read text; "" if missing, None if not UTF-8."""
    try:
        return read_bytes(path, TOML).decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return None
