"""Names and stamps of all files in folders, as one short text: as long as it stays the same, nothing has changed.

Looking at 100,000 files takes half a second, nearly all of it the system's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from musubi_nodes.budget import spend
from musubi_nodes.datasets.listing import opened
from musubi_nodes.files import FileStamp


@dataclass(frozen=True)
class FolderState:
    """``digest`` of what is there; ``newest`` is the time of the last change of any file, in nanoseconds; ``folders``
    are those inside, which are not looked into."""

    digest: str
    newest: int
    folders: tuple[str, ...] = ()

    @classmethod
    def of(cls, folders: Iterable[Path | str], ending: str = "") -> FolderState:
        """The files that end in ``ending``, but for hidden ones. Raises OSError where a folder cannot be read."""
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
