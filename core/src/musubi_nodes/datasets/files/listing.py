"""Lists folders with sizes and times."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.budget import spend
from musubi_nodes.datasets.files.names import is_image
from musubi_nodes.files import FileStamp


class File(NamedTuple):
    """A file or folder of images; ``size`` is -1 if it can't be used."""

    path: str
    size: int
    mtime_ns: int
    is_folder: bool = False
    ctime_ns: int = 0

    @property
    def stamp(self) -> FileStamp:
        return FileStamp(self.size, self.mtime_ns, self.ctime_ns)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)  # noqa: PTH119 - a Path would be slow


def files_in(folder: Path | str) -> Iterator[tuple[str, File]]:
    """Yield name and file of all but hidden entries, sorted.

    OSError or ValueError if unreadable. Sorting speeds up later passes.
    """
    before, make = os.path.join(folder, ""), tuple.__new__  # noqa: PTH118 - a Path would drop the last slash
    with opened(folder) as place:
        with os.scandir(place) as entries:
            left = sorted(entries, key=attrgetter("name"), reverse=True)
        while left:  # entries cache their stat()
            spend()
            entry = left.pop()
            name = entry.name
            if name[0] == ".":
                continue
            path = before + name
            if entry.is_dir():
                yield name, File(path, 0, 0, True)
                continue
            try:
                known = entry.stat()
            except OSError:
                yield name, File(path, -1, 0)
                continue
            if stat.S_ISREG(known.st_mode):  # make: half the cost of File(...), twice an item
                yield name, make(File, (path, known.st_size, known.st_mtime_ns, False, known.st_ctime_ns))
            else:  # a FIFO, a device, a socket
                yield name, File(path, -1, 0)


class Names:
    """Files by name, as a file system finds them."""

    def __init__(self, files: Iterable[File]) -> None:
        self._exact = {file.name: file for file in files}

    def find(self, name: str) -> File | None:
        """Return what opening ``name`` opens."""
        if found := self._exact.get(name):
            return found
        found = self._similar.get(_folded(name))
        return found if found and Path(found.path).with_name(name).exists() else None

    @cached_property
    def _similar(self) -> dict[str, File]:
        return {_folded(name): file for name, file in self._exact.items()}


def _folded(name: str) -> str:
    """Fold case, and normal forms as macOS does."""
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def opened(folder: Path | str) -> Iterator[int | Path | str]:
    """Provide a handle, which avoids walking the path per file."""
    if os.scandir not in os.supports_fd:
        yield folder
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # never waits for a pipe
    try:
        yield handle
    finally:
        os.close(handle)


def images_in(folder: Path | str) -> list[File]:
    """List images in frame order."""
    return sorted(file for name, file in files_in(folder) if is_image(name) and not file.is_folder)


def file_at(path: str) -> File | None:
    try:
        known = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    kind = stat.S_IFMT(known.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return File(path, -1, 0)
    return File(path, known.st_size, known.st_mtime_ns, kind == stat.S_IFDIR, known.st_ctime_ns)


def led_to(folder: Path) -> Iterator[Path]:
    """Yield links and folders, two levels deep."""
    for path in _links_and_folders(folder):
        yield path
        if not path.is_symlink():
            yield from _links_and_folders(path)


def _links_and_folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_symlink() or entry.is_dir()]
    except (OSError, ValueError):
        return []
