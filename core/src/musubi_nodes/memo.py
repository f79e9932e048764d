"""Answers kept on disk while what they were made from stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from musubi_nodes.config import cache_folder
from musubi_nodes.files import KEPT, FileStamp, read_json, write_json
from musubi_nodes.json_types import fits, texts_by_name


class Memo:
    """An answer of one ``kind`` for ``facts``, in the user's cache folder.

    It is valid while its ``state`` and the stamps of its ``files`` stay the same. ``thorough``: files count by content
    where the system does not time changes.
    """

    def __init__(self, kind: str, *facts: object, thorough: bool = False) -> None:
        self._thorough = thorough
        name = sha256("\0".join(map(str, facts)).encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.file = cache_folder() / (f"{kind}/{name}.json" if facts else f"{kind}.json")

    def find(self, state: object = "") -> Any:
        """Return the answer as JSON, ``None`` without a valid one."""
        kept = read_json(self.file, KEPT)
        if not fits(kept, {"files": texts_by_name}) or kept.get("state") != state:
            return None
        try:
            same = all(self.stamp(file) == then for file, then in kept["files"].items())
        except (OSError, ValueError):
            return None
        return kept.get("answer") if same else None

    def keep(self, answer: object, files: Mapping[str, str], state: object = "") -> None:
        """Save if possible; take the :meth:`stamp` of a file before reading it."""
        with suppress(OSError):
            write_json(self.file, {"state": state, "files": files, "answer": answer})

    def stamp(self, path: Path | str) -> str:
        file = Path(path)
        return str(FileStamp.of(file if self._thorough else file.stat()))
