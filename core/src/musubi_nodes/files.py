"""Files that are never half-written, and names that stay where they belong."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

from musubi_nodes.budget import spend
from musubi_nodes.errors import CONTROLS, MusubiError
from musubi_nodes.parsing import parse_json
from musubi_nodes.sharing import discard, replace, retried
from musubi_nodes.windows_names import meaning_on_windows

LONGEST_PATH = 4_096
SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,120}")
_SURROGATE = 0x20000000
"""Bit of a reparse tag on Windows: it stands for something elsewhere (IsReparseTagNameSurrogate, winnt.h)."""
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""How files are opened: no line break is changed on Windows, and no FIFO is waited for."""


class Limit(NamedTuple):
    """The most bytes that are read of a kind of file. Each counts ``cost`` times against a budget: parsing takes longer
    than reading."""

    kind: str
    most: int
    cost: int = 1


_MB = 1_000_000
CONFIG = Limit("configuration file", _MB)
TOML = Limit("dataset file", _MB // 10, cost=80)
CAPTION = Limit("caption", _MB)
LINES = Limit("JSONL file", 256 * _MB)
PROMPTS = Limit("prompt file", 2 * _MB, cost=20)
WORKFLOW = Limit("workflow", 20 * _MB)
WEIGHTS_HEADER = Limit("header of weights", 16 * _MB, cost=3)
PICTURE = Limit("picture", 256 * _MB)
RECORD = Limit("file of a run", 4 * _MB)
KEPT = Limit("file of this program", 64 * _MB)
CODE = Limit("source file", 8 * _MB)
"""Of kinds of files that others write. What we read in pieces (logs, metrics, media) has none."""


class NotUsable(OSError):
    """A file that is no regular one, or larger than its kind may be."""


def unreadable(error: Exception) -> str:
    """The code of an error for a file that ``error`` keeps from being read."""
    return "file-missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "file-unreadable"


def open_file(path: Path | str, limit: Limit | None = None, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading, no FIFO, device or folder.

    Raises OSError, also for one beyond ``limit``, or for a link unless ``follow``.
    """
    _check_usable(Path(path).stat(follow_symlinks=follow), limit)  # opening a device may already do something
    handle = retried(lambda: os.open(path, READ | (0 if follow else getattr(os, "O_NOFOLLOW", 0))))
    try:
        facts = os.fstat(handle)
        _check_usable(facts, limit)
        spend(facts.st_size * limit.cost if limit else 0)
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _check_usable(facts: os.stat_result, limit: Limit | None) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise NotUsable("it is not a regular file")
    if limit and facts.st_size > limit.most:
        raise _too_large(limit)


def _too_large(limit: Limit) -> NotUsable:
    size = f"{limit.most // _MB} MB" if limit.most >= _MB else f"{limit.most} bytes"
    return NotUsable(f"it is larger than {size}, the most that a {limit.kind} may have")


def read_bytes(path: Path | str, limit: Limit, *, follow: bool = True) -> bytes:
    """The content of a regular file of bounded size; raises OSError as :func:`open_file`."""
    with open_file(path, limit, follow=follow) as file:
        size = min(os.fstat(file.fileno()).st_size, limit.most)
        data = file.read(size + 1)  # room is made for as much as is asked for
        if len(data) > size:  # it grew, or the system tells no size, as in /proc
            data += file.read(limit.most + 1 - len(data))
    if len(data) > limit.most:
        raise _too_large(limit)
    return data


def read_text(path: Path | str, limit: Limit, *, follow: bool = True) -> str:
    """The same as UTF-8 without byte order mark; raises OSError, and ValueError where it is not UTF-8."""
    return read_bytes(path, limit, follow=follow).decode("utf-8-sig")


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 ``text`` beside ``path`` and rename it into place; half a character becomes an escape of JSON."""
    return write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> Path:
    """Write ``data`` beside ``path`` and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex[:8]}.part")
    try:
        beside.write_bytes(data)
        replace(beside, path)
    finally:
        discard(beside)
    return path


def write_json(path: Path, value: object) -> Path:
    """Write ``value`` as indented JSON, never half."""
    return write_text(path, _json(value))


def overwrite_json(path: Path, value: object) -> None:
    """Write ``value`` over what a file holds: a full disk has room for it there. No link is followed."""
    if is_own(path):
        with path.open("r+b", 0) as file:
            file.write(_json(value).encode("utf-8", "backslashreplace"))
            file.truncate()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def read_json(path: Path, limit: Limit = RECORD, *, follow: bool = True) -> dict[str, Any]:
    """The object in a JSON file; empty where the file is missing, half-written, or holds something else."""
    try:
        found = parse_json(read_text(path, limit, follow=follow), lists=limit.most)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class FileStamp(NamedTuple):
    """Whether a file is still the same: an equal stamp, an equal file.

    ``mtime_ns`` can be set back (``rsync -t``, ``unzip``, ``touch -r``), ``ctime_ns`` can't, except on Windows, where
    it is the time of creation. ``inode`` tells apart two files of one tick of the clock; some file systems give another
    one after each start. ``content`` is a digest of the file's bytes, "" where the times suffice.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    content: str = ""

    @classmethod
    def of(cls, file: Path | os.DirEntry[str] | os.stat_result) -> FileStamp:
        """For what is remembered while nobody touches the file; OSError where there is none."""
        facts = file if isinstance(file, os.stat_result) else file.stat()
        content = "" if CHANGES_ARE_TIMED or not isinstance(file, Path) else _content(file, facts.st_size)
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, content)

    @classmethod
    def listed(cls, file: os.DirEntry[str]) -> FileStamp:
        """For results that follow from very many files, of which not all can be read."""
        facts = file.stat()
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    @classmethod
    def lasting(cls, path: Path) -> FileStamp:
        """For results on disk: equal after ``chmod``, ``rsync -t`` or a restored backup as well."""
        facts = path.stat()
        return cls(facts.st_size, facts.st_mtime_ns, content=_content(path, facts.st_size))

    def __str__(self) -> str:
        return "-".join(map(str, self))

    @property
    def is_settled(self) -> bool:
        """Whether it is so old that one more change would show in its times."""
        return max(self.mtime_ns, self.ctime_ns) < time.time_ns() - SETTLED_NS


SETTLED_NS = 2_000_000_000
"""What was changed a moment ago may change once more within one tick of the file system's clock: it is read again."""
CHANGES_ARE_TIMED = os.name != "nt"
"""Whether ``st_ctime`` is the time of the last change."""
_WHOLE, _PIECES, _PIECE = 1 << 24, 16, 1 << 16


def _content(path: Path, size: int) -> str:
    """A digest of all bytes up to 16 MiB; of a larger file its ends and pieces evenly between them."""
    digest = blake2b(digest_size=12)
    with open_file(path) as file:
        if size <= _WHOLE:
            digest.update(file.read(size))
        else:
            for number in range(_PIECES):
                file.seek((size - _PIECE) * number // (_PIECES - 1))
                digest.update(file.read(_PIECE))
    return digest.hexdigest()


def publish(source: Path, folder: Path, name: str, *, move: bool = False) -> Path:
    """Copy or move ``source`` into ``folder`` as ``name``; a file that is there is kept, ``-2``, ``-3`` ... is added.

    The name is claimed by hard link, so that two publishers never overwrite each other; file systems without links
    fall back to a rename of a free name. A moved file that another program holds open stays where it was, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _linked(source, folder, name) if move else None
    target = target or _copied(source, folder, name)
    if move:
        discard(source)
    return target


def publish_folder(sources: Iterable[Path], folder: Path, name: str) -> list[Path]:
    """Move ``sources``, numbered pictures called ``<any>_<rest>``, into ``<folder>/<name>`` as ``<name>_<rest>``; a
    folder that is there is kept, ``-2``, ``-3`` ... is added."""
    for target in _targets(folder, name):
        with contextlib.suppress(FileExistsError):
            target.mkdir(parents=True)
            break
    return [publish(source, target, f"{name}_{source.name.rpartition('_')[2]}", move=True) for source in sources]


def _targets(folder: Path, stem: str, suffix: str = "") -> Iterator[Path]:
    yield folder / f"{stem}{suffix}"
    yield from (folder / f"{stem}-{number}{suffix}" for number in range(2, 10_000))
    raise MusubiError(
        "file-name-taken",
        f"no free name for {stem}{suffix} in {folder}",
        fix="Remove old files there or choose another name.",
    )


def _linked(source: Path, folder: Path, name: str) -> Path | None:
    """``source`` under a free name as well; ``None`` if it lies on another disk, or on one without links."""
    for target in _targets(folder, Path(name).stem, Path(name).suffix):
        try:
            os.link(source, target)
        except FileExistsError:
            continue
        except OSError:
            return None
        return target
    return None


def _copied(source: Path, folder: Path, name: str) -> Path:
    beside = folder / f".{uuid4().hex[:8]}.part"
    try:
        retried(lambda: shutil.copyfile(source, beside))
        return _linked(beside, folder, name) or _renamed(beside, folder, name)
    finally:
        discard(beside)


def _renamed(beside: Path, folder: Path, name: str) -> Path:
    target = next(path for path in _targets(folder, Path(name).stem, Path(name).suffix) if not path.exists())
    replace(beside, target)
    return target


def slug(text: str, otherwise: str = "dataset") -> str:
    """A plain file name out of any text."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:80] or otherwise


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Whether the resolved ``path`` lies in one of the resolved ``roots``.

    A network share is inside only where a root is written as on it: looking at any other would be a login there.
    """
    spend()
    if is_share(path):
        return ".." not in path.parts and any(path.is_relative_to(root) for root in roots)
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no system takes, a device
        return False
    return any(resolved.is_relative_to(root.resolve()) for root in roots)


def is_share(path: Path | str) -> bool:
    """Whether ``path`` is on a network share or a device: ``\\\\host\\share``, ``//host/share``, ``\\\\.\\device``,
    ``\\??\\UNC\\host\\share``."""
    return str(path)[:4].replace("\\", "/").startswith(("//", "/??/"))


def is_file(path: Path) -> bool:
    """Whether there is a file that can be looked at; names that no system takes are none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """The same of a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_own(path: Path, kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Whether ``path`` is a file itself (``stat.S_ISDIR``: a folder), and no link or junction to another place."""
    try:
        facts = path.lstat()
    except (OSError, ValueError):
        return False
    return kind(facts.st_mode) and not getattr(facts, "st_reparse_tag", 0) & _SURROGATE


def is_relative(name: str) -> bool:
    """Whether ``name`` stays below the folder that it is joined to, on every system: ``C:x`` and ``/x`` do not."""
    if len(name) > LONGEST_PATH:
        return False
    path = PureWindowsPath(name)
    return not path.anchor and ".." not in path.parts and not meaning_on_windows(name)


def cleaned_path(text: str) -> Path:
    """A path as people paste it: blanks and one pair of quotes around it are removed, ``~`` is expanded."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if CONTROLS.search(text) or re.search(r"[\n\t]", text):
        raise MusubiError(
            "path-control-character",
            f"the path {text[:80]!r} holds a line break or control character",
            fix="Type the path again.",
        )
    if len(text) > LONGEST_PATH:
        raise MusubiError(
            "path-too-long", f"the path {text[:80]!r} ... has {len(text)} characters", fix="Type the path again."
        )
    if meaning := meaning_on_windows(text):
        raise MusubiError(
            "path-unsafe-on-windows",
            f"the path {text[:80]!r} {meaning}",
            why="Windows would open something else than this path names, and the workflow may be run there.",
            fix="Rename the file or folder, or give its whole path.",
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise MusubiError(
            "home-unknown", f"nobody's home folder is meant by {text[:80]!r}", fix="Write the whole path."
        ) from None
