"""The cache files of a dataset: which are expected, which are there, which are broken.

Names (dataset/image_video_dataset.py, v0.3.4; ``arch`` is hv, wan or fp): ``{stem}_{W}x{H}_{arch}.safetensors`` for an
image, ``{stem}_{start}-{frames}_{W}x{H}_{arch}`` for a clip, with ``-{section}`` after the frames for FramePack, and
``{stem}_{arch}_te`` for a caption.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from musubi_nodes.datasets.items import DatasetScan, Item, Scan
from musubi_nodes.datasets.schema import Dataset, cache_folder_of
from musubi_nodes.errors import MusubiError
from musubi_nodes.weights import read_header


def latent_cache_files(dataset: Dataset, architecture: str) -> tuple[Path, ...]:
    """All latent caches in the dataset's cache folder, also those of files that are gone."""
    return _ending_in(cache_folder_of(dataset), f"_{architecture}.safetensors")


def text_cache_files(dataset: Dataset, architecture: str) -> tuple[Path, ...]:
    """All text caches in the dataset's cache folder, also those of files that are gone."""
    return _ending_in(cache_folder_of(dataset), f"_{architecture}_te.safetensors")


def expected_text_caches(scan: Scan, architecture: str) -> tuple[tuple[Item, Path], ...]:
    """Each item with the text cache that it must have."""
    return tuple(
        (item, folder / f"{item.stem}_{architecture}_te.safetensors")
        for dataset, folder in _with_folder(scan)
        for item in dataset.items
    )


def latent_caches(scan: Scan, architecture: str) -> tuple[tuple[Item, tuple[Path, ...]], ...]:
    """Each item with the latent caches that are there for it: one of an image, one or more of a video."""
    found: list[tuple[Item, tuple[Path, ...]]] = []
    for dataset, folder in _with_folder(scan):
        by_stem: dict[str, list[Path]] = {}
        for path in _ending_in(folder, f"_{architecture}.safetensors"):
            by_stem.setdefault(_stem(path.name, dataset, architecture), []).append(path)
        found.extend((item, tuple(by_stem.get(item.stem, ()))) for item in dataset.items)
    return tuple(found)


def missing_latents(scan: Scan, architecture: str) -> tuple[Path, ...]:
    """Items without any latent cache (a video whose clips are partly there is not missing)."""
    return tuple(item.path for item, caches in latent_caches(scan, architecture) if not caches)


def missing_texts(scan: Scan, architecture: str) -> tuple[Path, ...]:
    """Items without text cache; musubi-tuner drops them from training with one warning."""
    return tuple(item.path for item, cache in expected_text_caches(scan, architecture) if not cache.is_file())


def broken_caches(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files whose header or length is wrong: they make a training with data workers hang at step 0."""
    return tuple(path for path in paths if not _is_whole(path))


def _is_whole(path: Path) -> bool:
    try:
        read_header(path)
    except MusubiError:
        return False
    return True


def _with_folder(scan: Scan) -> Iterator[tuple[DatasetScan, Path]]:
    return ((dataset, dataset.cache_folder) for dataset in scan.datasets if dataset.cache_folder is not None)


def _ending_in(folder: Path | None, ending: str) -> tuple[Path, ...]:
    if folder is None:
        return ()
    try:
        # hidden files are unseen by upstream's glob, too
        names = [name for name in os.listdir(folder) if name.endswith(ending) and not name.startswith(".")]  # noqa: PTH208
    except OSError:
        return ()
    return tuple(folder / name for name in sorted(names))


def _stem(name: str, dataset: DatasetScan, architecture: str) -> str:
    clip = r"_\d{5,}-\d{3,}(?:-\d{4,})?" if dataset.kind == "video" else ""
    tail = re.search(rf"{clip}_\d{{4,}}x\d{{4,}}_{re.escape(architecture)}\.safetensors$", name)
    return name[: tail.start()] if tail else ""
