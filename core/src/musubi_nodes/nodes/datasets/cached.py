"""Which items of a dataset are cached, family by family, and whose caches are stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from musubi_nodes.datasets.caches import CacheKind, names_in, stems_cached
from musubi_nodes.datasets.items import DatasetScan, Item, Scan
from musubi_nodes.datasets.schema import Dataset as Part
from musubi_nodes.datasets.schema import cache_folder_of, effective
from musubi_nodes.families.caches.folder import folder_as_noted
from musubi_nodes.families.caches.node import cached_dataset
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.sockets import Dataset

Kind = Literal["latents", "texts"]
KINDS: dict[Kind, CacheKind] = {"latents": "latent", "texts": "text"}


@dataclass(frozen=True)
class Known:
    """Paths of the items of one dataset that have no cache of one kind, and of those whose cache is stale: the media,
    the caption, an option of the dataset or the cache file is not what it was when the cache node made it."""

    missing: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()

    def holds(self, path: str) -> bool | None:
        """Whether the item at ``path`` is cached; None: its cache is stale."""
        return None if path in self.stale else path not in self.missing


@dataclass(frozen=True)
class Cached:
    """The caches of one family by dataset and kind; ``chosen``: the user asks for this one."""

    title: str
    chosen: bool
    known: Mapping[tuple[int, Kind], Known]


def caches_of(found: Scan, dataset: Dataset, chosen: Family | None, context: Context) -> list[Cached]:
    """The ``chosen`` family, or all that have a cache of any item. Each cache folder is listed once, and nothing is
    asked of its files where no cache node has left notes beside them."""
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
    known: dict[tuple[int, Kind], Known] = {}
    for part in found.datasets:
        placed = replace(part, cache_folder=cache_folder_of(parts[part.index]))
        names = listed(placed.cache_folder)
        for kind in KINDS:
            known[part.index, kind] = _known(placed, parts[part.index], family.architecture, KINDS[kind], names)
    return Cached(family.title, chosen, known)


def _known(part: DatasetScan, dataset: Part, architecture: str, kind: CacheKind, names: list[str]) -> Known:
    there = stems_cached(names, part, architecture, kind)
    if not there:
        return Known(_paths(part, lambda item: True))
    noted = folder_as_noted(part, dataset, architecture, kind)
    stale = noted.stale if noted else ()
    return Known(_paths(part, lambda item: item.stem not in there), _paths(part, lambda item: item.stem in stale))


def _paths(part: DatasetScan, wanted: Callable[[Item], bool]) -> frozenset[str]:
    return frozenset(item.file.path for item in part.items if wanted(item))
