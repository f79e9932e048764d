"""Cached and stale items of a dataset, by family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from musubi_nodes.datasets.config.schema import cache_folder_of, effective
from musubi_nodes.datasets.scan.caches import CacheKind, names_in, stems_cached
from musubi_nodes.datasets.scan.items import DatasetScan, Scan
from musubi_nodes.families.caches.folder import folder_by_manifest
from musubi_nodes.families.caches.node import cached_dataset
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.sockets import Dataset

KINDS: tuple[CacheKind, ...] = ("latent", "text")


@dataclass(frozen=True)
class CacheFacts:
    """Paths of one dataset's items with a missing or stale cache."""

    missing: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()

    def holds(self, path: str) -> bool | None:
        """Whether the item is cached; ``None`` if the cache is stale."""
        return None if path in self.stale else path not in self.missing


@dataclass(frozen=True)
class Cached:
    """One family's caches by dataset and kind; ``chosen`` by the user."""

    title: str
    chosen: bool
    known: Mapping[tuple[int, CacheKind], CacheFacts]


def caches_of(found: Scan, dataset: Dataset, chosen: Family | None, context: Context) -> list[Cached]:
    """Return the caches of the ``chosen`` family, or of all that have some."""
    families, listed = [chosen] if chosen else context.services.families, cache(names_in)
    looked = [_cached(found, dataset, family, family is chosen, context, listed) for family in families]
    items = sum(len(part.items) for part in found.datasets) * len(KINDS)
    return [one for one in looked if one.chosen or sum(len(known.missing) for known in one.known.values()) < items]


def _cached(
    found: Scan,
    dataset: Dataset,
    family: Family,
    chosen: bool,
    context: Context,
    listed: Callable[[Path | None], list[str]],
) -> Cached:
    parts = effective(cached_dataset(dataset, context.host.output_folder, family.key).config)
    known: dict[tuple[int, CacheKind], CacheFacts] = {}
    for part in found.datasets:
        nothing = CacheFacts(frozenset(item.file.path for item in part.items))
        placed = replace(part, cache_folder=cache_folder_of(parts[part.index]))
        names = listed(placed.cache_folder)
        for kind in KINDS:
            facts = []
            for architecture in family.architectures:
                there = stems_cached(names, placed, architecture, kind)
                noted = folder_by_manifest(placed, parts[part.index], architecture, kind) if there else None
                facts.append(_known(part, there, noted.stale if noted else frozenset()) if there else nothing)
            known[part.index, kind] = _of_any(facts)
    return Cached(family.title, chosen, known)


def _of_any(facts: Sequence[CacheFacts]) -> CacheFacts:
    """Merge a family's versions: an item is cached if one of them has it."""
    missing = frozenset.intersection(*(each.missing for each in facts))
    unusable = frozenset.intersection(*(each.missing | each.stale for each in facts))
    return CacheFacts(missing, unusable - missing)


def _known(part: DatasetScan, there: Set[str], stale: Set[str]) -> CacheFacts:
    stems = [(item.stem, item.file.path) for item in part.items]
    return CacheFacts(
        frozenset(path for stem, path in stems if stem not in there),
        frozenset(path for stem, path in stems if stem in stale),
    )
