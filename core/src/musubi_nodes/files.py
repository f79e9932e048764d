"""Bounded reads, atomic writes and safe names."""

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
"""IsReparseTagNameSurrogate (winnt.h)."""
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Limit(NamedTuple):
    """The largest size of a kind of file; ``cost`` weights it in a budget."""

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


class NotUsable(OSError):
    """A file that is not regular, or too large."""


def unreadable(error: Exception) -> str:
    return "file-missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "file-unreadable"


def open_file(path: Path | str, limit: Limit | None = None, *, follow: bool = True) -> BinaryIO:
    """Open a regular file of bounded size.

    OSError for anything else, and for a link unless ``follow``.
    """
    _check_usable(Path(path).stat(follow_symlinks=follow), limit)  # opening a device may have effects
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
    return NotUsable(f"it is larger than {size}, the limit for a {limit.kind}")


def read_bytes(path: Path | str, limit: Limit, *, follow: bool = True) -> bytes:
    with open_file(path, limit, follow=follow) as file:
        size = min(os.fstat(file.fileno()).st_size, limit.most)
        data = file.read(size + 1)  # read() allocates what it is asked for
        if len(data) > size:  # it grew, or has no size, as in /proc
            data += file.read(limit.most + 1 - len(data))
    if len(data) > limit.most:
        raise _too_large(limit)
    return data


def read_text(path: Path | str, limit: Limit, *, follow: bool = True) -> str:
    """Read UTF-8 without its BOM; ValueError for other text."""
    return read_bytes(path, limit, follow=follow).decode("utf-8-sig")


def write_text(path: Path, text: str) -> Path:
    return write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> Path:
    """Write ``data`` beside ``path``, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex[:8]}.part")
    try:
        beside.write_bytes(data)
        replace(beside, path)
    finally:
        discard(beside)
    return path


def write_json(path: Path, value: object) -> Path:
    return write_text(path, _json(value))


def overwrite_json(path: Path, value: object) -> None:
    """Write in place, which works on a full disk; follow no link."""
    if is_own(path):
        with path.open("r+b", 0) as file:
            file.write(_json(value).encode("utf-8", "backslashreplace"))
            file.truncate()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def read_json(path: Path, limit: Limit = RECORD, *, follow: bool = True) -> dict[str, Any]:
    """Read an object; empty for a missing or damaged file."""
    try:
        found = parse_json(read_text(path, limit, follow=follow), lists=limit.most)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class FileStamp(NamedTuple):
    """Facts of a file; equal stamps mean equal files.

    ``mtime_ns`` can be set back (``rsync -t``), ``ctime_ns`` cannot, but on Windows
    it is the time of creation. ``content`` is a digest if the times don't suffice.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0
    content: str = ""

    @classmethod
    def of(cls, file: Path | os.DirEntry[str] | os.stat_result) -> FileStamp:
        """Return a stamp to keep in memory."""
        facts = file if isinstance(file, os.stat_result) else file.stat()
        content = "" if CHANGES_ARE_TIMED or not isinstance(file, Path) else _content(file, facts.st_size)
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, content)

    @classmethod
    def listed(cls, file: os.DirEntry[str]) -> FileStamp:
        """Return a stamp without reading the file."""
        facts = file.stat()
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    @classmethod
    def lasting(cls, path: Path) -> FileStamp:
        """Return a stamp to keep on disk, stable under ``chmod``."""
        facts = path.stat()
        return cls(facts.st_size, facts.st_mtime_ns, content=_content(path, facts.st_size))

    def __str__(self) -> str:
        return "-".join(map(str, self))

    @property
    def is_settled(self) -> bool:
        """Whether another change would show in its times."""
        return max(self.mtime_ns, self.ctime_ns) < time.time_ns() - SETTLED_NS


SETTLED_NS = 2_000_000_000  # the clock of a file system may tick this slowly
CHANGES_ARE_TIMED = os.name != "nt"  # whether st_ctime is the time of the last change
_WHOLE, _PIECES, _PIECE = 1 << 24, 16, 1 << 16


def _content(path: Path, size: int) -> str:
    """Digest all bytes up to 16 MiB, else evenly spread pieces."""
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
    """Copy or move ``source``; add ``-2``, ``-3`` ... to a taken name."""
    folder.mkdir(parents=True, exist_ok=True)
    target = _linked(source, folder, name) if move else None
    target = target or _copied(source, folder, name)
    if move:
        discard(source)
    return target


def publish_folder(sources: Iterable[Path], folder: Path, name: str) -> list[Path]:
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
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:80] or otherwise


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Whether the resolved ``path`` is in one of the resolved ``roots``.

    Network shares are compared by name: resolving one would log in there.
    """
    spend()
    if is_share(path):
        return ".." not in path.parts and any(path.is_relative_to(root) for root in roots)
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError):  # loops of links, impossible names, devices
        return False
    return any(resolved.is_relative_to(root.resolve()) for root in roots)


def is_share(path: Path | str) -> bool:
    return str(path)[:4].replace("\\", "/").startswith(("//", "/??/"))


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_own(path: Path, kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Whether ``path`` itself is of this kind: no link, no junction."""
    try:
        facts = path.lstat()
    except (OSError, ValueError):
        return False
    return kind(facts.st_mode) and not getattr(facts, "st_reparse_tag", 0) & _SURROGATE


def is_relative(name: str) -> bool:
    """Whether ``name`` stays below its parent on every system."""
    if len(name) > LONGEST_PATH:
        return False
    path = PureWindowsPath(name)
    return not path.anchor and ".." not in path.parts and not meaning_on_windows(name)


def cleaned_path(text: str) -> Path:
    """Strip blanks and quotes of a pasted path, expand ``~``."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if CONTROLS.search(text) or re.search(r"[\n\t]", text):
        raise MusubiError(
            "path-control-character",
            f"the path {text[:80]!r} contains a line break or control character",
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
            why="Windows would open something other than this path names, and the workflow may be run there.",
            fix="Rename the file or folder, or give its full path.",
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise MusubiError(
            "home-unknown", f"{text[:80]!r} names no user's home folder", fix="Write the full path."
        ) from None
