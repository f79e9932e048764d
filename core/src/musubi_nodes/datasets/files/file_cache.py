"""Cached, parallel reads of file facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from musubi_nodes.budget import LOOK_SECONDS, spend
from musubi_nodes.datasets.files.listing import File
from musubi_nodes.files import SETTLED_NS

MOST = 1 << 18  # entries, then all are dropped

_WORKERS = 8
_TRIED = 64
_SLOW = 0.0005  # seconds a file: above it the disk limits, and threads help
Fact = TypeVar("Fact")


class FileCache(Generic[Fact]):
    """Results of ``read``, kept by each file's stamp.

    Errors, None and files written just now are read again; ``always``: everything.
    """

    def __init__(self, read: Callable[[File], Fact], *, always: bool = False) -> None:
        self._read, self._always = read, always
        self._known: dict[File, Fact] = {}

    def of(self, files: Iterable[File]) -> list[Fact]:
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
        self._known.clear()


def each_file(ask: Callable[[File], Fact], files: Sequence[File]) -> list[Fact]:
    """Call ``ask`` in order, in threads if files are slow."""
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
    while not future.done():
        spend()
        wait([future], LOOK_SECONDS)
    return future.result()
