"""Locks on cache folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from musubi_nodes.config import cache_folder
from musubi_nodes.datasets.config.schema import cache_folder_of, effective
from musubi_nodes.families.context import Context
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.runs.locks import reading, writing
from musubi_nodes.runs.record.progress import Progress


@contextmanager
def exclusive_cache_lock(dataset: Dataset, context: Context, title: str) -> Iterator[None]:
    """Hold an exclusive lock on the dataset's cache folders."""
    with _locked(writing, dataset, context, title):
        yield


@contextmanager
def shared_cache_lock(dataset: Dataset, context: Context, title: str) -> Iterator[None]:
    """Hold a shared lock on the dataset's cache folders."""
    with _locked(reading, dataset, context, title):
        yield


@contextmanager
def _locked(kind: Any, dataset: Dataset, context: Context, title: str) -> Iterator[None]:
    told: list[str] = []

    def waiting() -> None:
        if not told:
            told.append(translate("waiting: another run uses the caches of {name}", name=dataset.name))
            log.info("%s: another run uses the caches in %s", title, ", ".join(map(str, folders)))
        context.progress(Progress(told[0]))
        context.raise_if_interrupted()

    folders = {folder for part in effective(dataset.config) if (folder := cache_folder_of(part))}
    with ExitStack() as stack:
        for path in sorted(map(_lock_of, folders)):  # sorted, to avoid deadlocks
            stack.enter_context(kind(path, waiting))
        yield


def _lock_of(folder: Path) -> Path:
    """Return the lock's path; cache folders may be read-only."""
    name = os.path.normcase(os.path.realpath(folder))
    return cache_folder() / "locks" / f"caches_{sha256(os.fsencode(name)).hexdigest()[:16]}.lock"
