"""Which items of a dataset are cached, family by family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from musubi_nodes.datasets.caches import missing_latents, missing_texts
from musubi_nodes.datasets.items import DatasetScan, Scan
from musubi_nodes.datasets.schema import cache_folder_of, effective
from musubi_nodes.families.caches.node import cached_dataset
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.sockets import Dataset

Kind = Literal["latents", "texts"]
KINDS: tuple[Kind, ...] = ("latents", "texts")
_LOOKS = {"latents": missing_latents, "texts": missing_texts}


@dataclass(frozen=True)
class Cached:
    """What the caches of one family lack; ``chosen``: the user asks for this one."""

    title: str
    chosen: bool
    lacks: Mapping[tuple[int, Kind], frozenset[Path]]

    def missing(self, part: DatasetScan, kind: Kind) -> frozenset[Path]:
        """The items of one dataset that have no such cache."""
        return self.lacks[part.index, kind]


def caches_of(found: Scan, dataset: Dataset, chosen: Family | None, context: Context) -> list[Cached]:
    """The ``chosen`` family, or all that have a cache of any item."""
    families = [chosen] if chosen else context.services.families
    looked = [_cached(found, dataset, family, family is chosen, context) for family in families]
    items = sum(len(part.items) for part in found.datasets) * len(KINDS)
    return [one for one in looked if one.chosen or sum(map(len, one.lacks.values())) < items]


def _cached(found: Scan, dataset: Dataset, family: Family, chosen: bool, context: Context) -> Cached:
    parts = effective(cached_dataset(dataset, context.host.output_folder, family.key).config)
    lacks: dict[tuple[int, Kind], frozenset[Path]] = {}
    for part in found.datasets:
        placed = Scan((replace(part, cache_folder=cache_folder_of(parts[part.index])),))
        for kind in KINDS:
            lacks[part.index, kind] = frozenset(_LOOKS[kind](placed, family.architecture))
    return Cached(family.title, chosen, lacks)
