"""Files of equal content, compared by size, beginning, then all bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from hashlib import blake2b

from musubi_nodes.budget import spend
from musubi_nodes.datasets.files.listing import File
from musubi_nodes.files import open_file

_BEGINNING = 1 << 16


def same_content(files: Iterable[File]) -> tuple[tuple[File, ...], ...]:
    """Group equal files; empty and unreadable ones are left out."""
    groups = _split([[file for file in files if file.size > 0 and not file.is_folder]], lambda file: file.size)
    groups = _split(groups, lambda file: _hash(file, _BEGINNING))
    return tuple(tuple(group) for group in _split(groups, lambda file: _hash(file) if file.size > _BEGINNING else b""))


def _split(groups: Iterable[list[File]], key: Callable[[File], Hashable]) -> list[list[File]]:
    found = []
    for group in groups:
        parts: dict[Hashable, list[File]] = defaultdict(list)
        for file in group:
            parts[key(file)].append(file)
        found += [part for known, part in parts.items() if len(part) > 1 and known is not None]
    return found


def _hash(file: File, limit: int | None = None) -> bytes | None:
    whole = blake2b(digest_size=16)
    try:
        with open_file(file.path) as source:
            if limit is not None:
                whole.update(source.read(limit))
                return whole.digest()
            while part := source.read(1 << 20):
                spend()
                whole.update(part)
    except OSError:
        return None
    return whole.digest()
