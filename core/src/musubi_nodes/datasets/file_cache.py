"""What is asked of files: of many at a time where they are slow, and not again while they stay the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from musubi_nodes.budget import LOOK_SECONDS, spend
from musubi_nodes.datasets.listing import File
from musubi_nodes.files import SETTLED_NS

MOST = 1 << 18
"""Beyond so many, all older answers are forgotten."""

_WORKERS = 8
_TRIED = 64
_SLOW = 0.0005  # seconds a file: above it the disk is waited for, not Python, and threads help
Fact = TypeVar("Fact")


class FileCache(Generic[Fact]):
    """What ``read`` tells of files, kept while their names, sizes and times stay the same: a queue looks at a dataset
    twice. An error, or None, is asked for again; so is what was written a moment ago. ``always``: nothing is kept."""

    def __init__(self, read: Callable[[File], Fact], *, always: bool = False) -> None:
        self._read, self._always = read, always
        self._known: dict[File, Fact] = {}

    def of(self, files: Iterable[File]) -> list[Fact]:
        """The answers in order: of 100,000 known files within some hundredths of a second."""
        asked, settled = list(files), time.time_ns() - SETTLED_NS
        if self._always:
            return each_file(self._read, asked)
        known = list(map(self._known.get, asked))
        new = [file for file, fact in zip(asked, known, strict=True) if fact is None]
        found = each_file(self._read, new)
        if new and len(self._known) + len(new) > MOST:
            self._known.clear()
        self._known.update(
            (file, fact)
            for file, fact in zip(new, found, strict=True)
            if file.mtime_ns < settled and fact is not None and not isinstance(fact, Exception)
        )
        rest = iter(found)
        return [next(rest) if fact is None else fact for fact in known]

    def forget(self) -> None:
        """As in a new process."""
        self._known.clear()


def each_file(ask: Callable[[File], Fact], files: Sequence[File]) -> list[Fact]:
    """The answers in order: one after the other where files are read at once, many at a time where they are waited for
    (a network drive, a disk that was not read before, ffmpeg)."""
    found: list[Fact] = []
    end = time.perf_counter() + _TRIED * _SLOW
    for file in files[:_TRIED]:
        spend()
        found.append(ask(file))
        if time.perf_counter() > end:
            break
    rest = files[len(found) :]
    if time.perf_counter() <= end:
        for file in rest:
            spend()
            found.append(ask(file))
        return found
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="media-facts")
    try:
        return found + [_awaited(future) for future in [pool.submit(ask, file) for file in rest]]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _awaited(future: Future[Fact]) -> Fact:
    """The answer; meanwhile the user may give it up."""
    while not future.done():
        spend()
        wait([future], LOOK_SECONDS)
    return future.result()
