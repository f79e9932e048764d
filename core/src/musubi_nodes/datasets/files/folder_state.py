"""Digests of folders' names and stamps: half a second per 100,000 files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from musubi_nodes.budget import spend
from musubi_nodes.datasets.files.listing import opened
from musubi_nodes.files import FileStamp


@dataclass(frozen=True)
class FolderState:
    """``newest`` change in nanoseconds; ``folders`` inside are not entered."""

    digest: str
    newest: int
    folders: tuple[str, ...] = ()

    @classmethod
    def of(cls, folders: Iterable[Path | str], ending: str = "") -> FolderState:
        """Digest non-hidden files with ``ending``; OSError if unreadable."""
        digest, newest, inside = sha256(), 0, []
        for folder in folders:
            lines: list[str] = []
            with opened(folder) as place, os.scandir(place) as entries:
                for entry in entries:
                    spend()
                    name = entry.name
                    if not name.endswith(ending) or name[0] == ".":
                        continue
                    if entry.is_dir():
                        inside.append(os.path.join(folder, name))  # noqa: PTH118
                        continue
                    stamp = FileStamp.listed(entry)
                    lines.append(f"{name}\0{stamp}")
                    newest = max(newest, stamp.mtime_ns)
            lines.sort()
            text = "\0".join([os.fspath(folder), str(len(lines)), *lines])
            digest.update(text.encode("utf-8", "surrogatepass"))
        return cls(digest.hexdigest()[:32], newest, tuple(sorted(inside)))
