"""Names, sizes and times of the files in a folder, from one look at it."""

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
from musubi_nodes.datasets.names import is_image
from musubi_nodes.files import FileStamp


class File(NamedTuple):
    """One file as a look found it: absolute path, bytes, time of its last change in nanoseconds.

    ``is_folder``: a folder of images may stand for a video. A file that cannot be looked at (a broken link, a FIFO)
    has ``size`` -1. ``ctime_ns``: see :class:`FileStamp`.
    """

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
        return os.path.basename(self.path)  # noqa: PTH119 - a Path costs more than all the rest


def files_in(folder: Path | str) -> Iterator[tuple[str, File]]:
    """Name and look of each file and folder in ``folder``, but for hidden ones; OSError or ValueError where it cannot
    be read.

    They come in the order of their names, so that what is made of them lies in memory as it is walked through later:
    in the order of an ext4 folder, 100,000 files take a fifth more time.
    """
    before, make = os.path.join(folder, ""), tuple.__new__  # noqa: PTH118 - a Path would drop the last slash
    with opened(folder) as place:
        with os.scandir(place) as entries:
            left = sorted(entries, key=attrgetter("name"), reverse=True)
        while left:  # an entry keeps what its stat() tells
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
    """Files of one folder by name, as its file system finds them: on many the case of letters does not count."""

    def __init__(self, files: Iterable[File]) -> None:
        self._exact = {file.name: file for file in files}

    def find(self, name: str) -> File | None:
        """What opening ``name`` opens."""
        if found := self._exact.get(name):
            return found
        found = self._similar.get(_folded(name))
        return found if found and Path(found.path).with_name(name).exists() else None

    @cached_property
    def _similar(self) -> dict[str, File]:
        return {_folded(name): file for name, file in self._exact.items()}


def _folded(name: str) -> str:
    """The same for names that a file system may take for one (macOS: also in another normal form)."""
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def opened(folder: Path | str) -> Iterator[int | Path | str]:
    """By its handle, where the system can: it need not walk the whole path for each file then."""
    if os.scandir not in os.supports_fd:
        yield folder
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # a pipe would be waited for
    try:
        yield handle
    finally:
        os.close(handle)


def images_in(folder: Path | str) -> list[File]:
    """The images of a folder that stands for a video, in the order of its frames; raises as :func:`files_in`."""
    return sorted(file for name, file in files_in(folder) if is_image(name) and not file.is_folder)


def file_at(path: str) -> File | None:
    """The same for one path; None where there is nothing."""
    try:
        known = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    kind = stat.S_IFMT(known.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return File(path, -1, 0)
    return File(path, known.st_size, known.st_mtime_ns, kind == stat.S_IFDIR, known.st_ctime_ns)


def led_to(folder: Path) -> Iterator[Path]:
    """What leads out of ``folder``, if anything does: the links in it, its subfolders, and the links in those."""
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
