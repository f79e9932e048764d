"""Checks before and after caching, and before training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from musubi_nodes.datasets.config.schema import effective
from musubi_nodes.datasets.scan.caches import (
    CacheKind,
    broken_caches,
    expected_text_caches,
    has_values,
    latent_caches,
    missing_latents,
    missing_texts,
)
from musubi_nodes.datasets.scan.items import Scan
from musubi_nodes.datasets.scan.report import named
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches.folder import CacheFolder
from musubi_nodes.families.family import Family
from musubi_nodes.families.judging import judge
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.stated import replaced_items
from musubi_nodes.sharing import remove


def checked_scan(dataset: Dataset, family: Family) -> Scan:
    """Scan the dataset; raise if caching would fail or lose items."""
    found = scan(dataset.config)
    judge(found, dataset.config, dataset.missing_captions, family).raise_errors()
    return found


def check_batch_size(wanted: int | None, dataset: Dataset) -> None:
    """Raise for a larger batch than the dataset's (ignored by v0.3.4)."""
    largest = max(part.batch_size for part in effective(dataset.config))
    if wanted and wanted > largest:
        raise MusubiError(
            "batch-size-too-large",
            f"batch_size {wanted} of the cache node is more than the dataset's own ({largest}): it would do nothing",
            fix="Set it to 0, or raise batch_size in the dataset TOML.",
        )


def check_owner(folders: Iterable[CacheFolder]) -> None:
    """Raise if another dataset has caches with the same names."""
    for each in folders:
        if others := each.other_media():
            raise MusubiError(
                "cache-folder-shared",
                f"the cache folder {each.path} holds the caches of another dataset, {named(others, 3)}",
                why="Its files have the same names, so that each dataset would replace the caches of the other.",
                fix="Give each dataset a cache_directory of its own, or empty this one.",
            )


def check_orphans(folders: Iterable[CacheFolder], kind: CacheKind) -> None:
    if orphans := [path for each in folders for path in each.orphans()]:
        raise MusubiError(
            "cache-orphaned",
            f"{len(orphans)} {kind} cache files are of pictures or videos that are gone: {named(map(str, orphans), 3)}",
            why="musubi-tuner trains on every cache file that it finds in the folder, also on another dataset's.",
            fix="Delete them, or give each dataset a cache_directory of its own.",
        )


def check_replaced(folders: Iterable[CacheFolder], kind: CacheKind, folder: RunFolder) -> None:
    """Raise if the script didn't replace unmanaged caches."""
    if left := [path for each in folders for path in each.replace()]:
        raise MusubiError(
            "cache-not-replaced",
            f"{len(left)} {kind} cache files that were made by hand were not written anew: {named(map(str, left), 3)}",
            why="It is not known what they were made from.",
            fix="Delete them and queue the cache node again.",
            log=folder.log,
        )


def verify(
    found: Scan,
    architecture: str,
    kind: CacheKind,
    folder: RunFolder | None = None,
    verified: Set[Path] = frozenset(),
    last: str = "",
    may_be_zero: str = "",
) -> None:
    """Raise for missing or damaged caches: v0.3.4 would hang on those.

    Values are checked too if ``folder`` wrote them; ``verified`` files are skipped.
    ``last``, ``may_be_zero``: see :mod:`musubi_nodes.datasets.scan.caches`.
    """
    log = folder.log if folder else None
    missing = missing_latents(found, architecture) if kind == "latent" else missing_texts(found, architecture)
    if missing:
        raise MusubiError(
            "cache-missing",
            f"{len(missing)} of {len(found.items)} items have no {kind} cache: {named(map(str, missing), 3)}",
            why="musubi-tuner silently skips such items." if folder else "",
            fix="Look at these files, then queue the cache node again.",
            log=log,
        )
    files = [path for path in _files(found, architecture, kind) if path not in verified]
    if broken := broken_caches(files, last):
        raise MusubiError(
            "cache-damaged",
            f"{len(broken)} {kind} cache files are damaged: {named(map(str, broken), 3)}",
            why="They are only partly written; a training would hang on them.",
            fix="Delete them and queue the cache node again.",
            log=log,
        )
    if folder:
        _check_numbers(files, kind, folder, may_be_zero)


def _check_numbers(files: Sequence[Path], kind: CacheKind, folder: RunFolder, may_be_zero: str) -> None:
    """Remove invalid caches, or all if any NaN was replaced by 0."""
    bad = [path for path in files if not has_values(path, kind, may_be_zero)]
    replaced = replaced_items(folder)
    for path in files if replaced else bad:
        remove(path)
    if count := max(len(bad), len(replaced)):
        raise MusubiError(
            "cache-values-invalid",
            f"{count} {kind} caches held NaN, infinite numbers or nothing but zeros: "
            f"{named(sorted(replaced) or map(str, bad), 3)}",
            why="The encoder produced numbers too large for its precision. musubi-tuner replaces NaN with 0, and a "
            "training would learn that.",
            fix="Choose another precision for the VAE or text encoder, or another file of it, and cache again.",
            log=folder.log,
        )


def _files(found: Scan, architecture: str, kind: CacheKind) -> list[Path]:
    if kind == "text":
        return [cache for _, cache in expected_text_caches(found, architecture)]
    return [path for _, paths in latent_caches(found, architecture) for path in paths]
