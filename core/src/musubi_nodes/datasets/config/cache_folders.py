"""Cache folders of datasets."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, source_of
from musubi_nodes.files import slug

GLOB_LETTERS = frozenset("*?[")


def with_cache_directories(config: DatasetConfig, base: Path, toml: Path | None = None) -> DatasetConfig:
    """Set each missing ``cache_directory`` to its own folder in ``base``.

    Names hash the paths of source and TOML, so that datasets never share or swap them.
    """
    taken = {folder_key(dataset.cache_directory) for dataset in config.datasets if dataset.cache_directory}
    datasets: list[DatasetSection] = []
    for dataset in config.datasets:
        if dataset.cache_directory is None:
            folder = _free(base.absolute() / _name(source_of(dataset), toml), taken)
            dataset = dataset.model_copy(update={"cache_directory": folder})
        datasets.append(dataset)
    return config.model_copy(update={"datasets": tuple(datasets)})


def folder_key(folder: Path) -> tuple[object, ...]:
    """Return a key that all spellings of one folder share."""
    resolved = os.path.realpath(folder)
    try:
        found = os.stat(resolved)  # noqa: PTH116
    except OSError:
        return (resolved.casefold() if sys.platform in ("win32", "darwin") else resolved,)
    return (found.st_dev, found.st_ino)


def _name(source: Path, toml: Path | None) -> str:
    name = slug(source.stem if source.suffix == ".jsonl" else source.name)[:40]
    where = "\0".join(path.as_posix() for path in (source, toml) if path)
    return f"{name}-{sha256(os.fsencode(where)).hexdigest()[:8]}"


def _free(folder: Path, taken: set[tuple[object, ...]]) -> Path:
    number, candidate = 1, folder
    while folder_key(candidate) in taken:
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    taken.add(folder_key(candidate))
    return candidate
