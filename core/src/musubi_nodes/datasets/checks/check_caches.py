"""Findings about cache folders and files that items would share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from musubi_nodes.datasets.config.cache_folders import GLOB_LETTERS, folder_key
from musubi_nodes.datasets.config.schema import DatasetSection
from musubi_nodes.datasets.scan.items import DatasetScan, Item
from musubi_nodes.datasets.scan.report import Findings, named
from musubi_nodes.errors import Problem


def check_caches(scans: Sequence[DatasetScan], datasets: Sequence[DatasetSection], found: Findings) -> None:
    folders: dict[tuple[object, ...], list[DatasetScan]] = {}
    for scan in scans:
        given = datasets[scan.index].cache_directory
        folders.setdefault(folder_key(given) if given else ("its own", scan.index), []).append(scan)
        if given and GLOB_LETTERS & set(str(given)):
            found.errors.append(_glob(scan.name, given))
    for sharing in folders.values():
        if len(sharing) > 1:
            names = " and ".join(scan.name for scan in sharing)
            text = f"{names} share the cache folder {sharing[0].cache_folder}; give each a cache_directory"
            found.errors.append(Problem("cache-folder-shared", text))
        found.errors.extend(_twice(group) for group in _same_stem(sharing))


def _glob(name: str, folder: Path) -> Problem:
    # get_all_latent_cache_files and prepare_for_training (v0.3.4) glob the folder without escaping it.
    letters = " ".join(sorted(GLOB_LETTERS))
    text = f"{name}: the cache folder {folder} has one of {letters} in its path, so that training finds no cache there"
    return Problem("cache-folder-not-found-by-glob", text)


def _same_stem(sharing: Sequence[DatasetScan]) -> list[list[tuple[DatasetScan, Item]]]:
    if len(sharing) == 1 and not sharing[0].duplicate_stems:
        return []
    groups: dict[str, list[tuple[DatasetScan, Item]]] = {}
    for scan in sharing:
        for item in scan.items:
            groups.setdefault(os.path.normcase(item.stem), []).append((scan, item))
    return [group for group in groups.values() if len(group) > 1]


def _twice(group: Sequence[tuple[DatasetScan, Item]]) -> Problem:
    paths = named((f"{item.path} ({scan.name})" for scan, item in group), 4)
    text = f"one cache file would serve {len(group)} items, silently: {paths}; rename all but one"
    return Problem("cache-file-shared", text)
