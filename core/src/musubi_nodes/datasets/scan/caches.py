"""Cache files of a dataset: expected, existing and broken ones.

Names (dataset/image_video_dataset.py, v0.3.4; ``arch`` is hv, wan, fp ...):
``{stem}_{W}x{H}_{arch}.safetensors`` for an image,
``{stem}_{start}-{frames}_{W}x{H}_{arch}`` for a clip, with ``-{section}`` after the
frames for FramePack, ``{stem}_{arch}_te`` for a caption.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from musubi_nodes.datasets.scan.items import DatasetScan, Item, Scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.tensor_values import values_of
from musubi_nodes.weights import read_header

CacheKind = Literal["latent", "text"]
ENDINGS: dict[CacheKind, str] = {"latent": "_{}.safetensors", "text": "_{}_te.safetensors"}


def stem_of_cache(name: str, dataset: DatasetScan, architecture: str, kind: CacheKind) -> str:
    """Return the stem of the cache's item; "" for other names."""
    return (
        _stem(name, dataset, architecture) if kind == "latent" else name[: -len(ENDINGS["text"].format(architecture))]
    )


def expected_text_caches(scan: Scan, architecture: str) -> tuple[tuple[Item, Path], ...]:
    return tuple(
        (item, folder / f"{item.stem}_{architecture}_te.safetensors")
        for dataset, folder in _with_folder(scan)
        for item in dataset.items
    )


def latent_caches(scan: Scan, architecture: str) -> tuple[tuple[Item, tuple[Path, ...]], ...]:
    """List items with their existing caches: several of a video."""
    found: list[tuple[Item, tuple[Path, ...]]] = []
    for dataset, folder in _with_folder(scan):
        by_stem: dict[str, list[Path]] = {}
        for path in _ending_in(folder, f"_{architecture}.safetensors"):
            by_stem.setdefault(_stem(path.name, dataset, architecture), []).append(path)
        found.extend((item, tuple(by_stem.get(item.stem, ()))) for item in dataset.items)
    return tuple(found)


def missing_latents(scan: Scan, architecture: str) -> tuple[Path, ...]:
    """List items without latent cache; videos may lack some clips."""
    return tuple(Path(item.file.path) for item in _missing(scan, architecture, "latent"))


def missing_texts(scan: Scan, architecture: str) -> tuple[Path, ...]:
    """List items without text cache; musubi-tuner drops them with a warning."""
    return tuple(Path(item.file.path) for item in _missing(scan, architecture, "text"))


def stems_cached(names: Iterable[str], dataset: DatasetScan, architecture: str, kind: CacheKind) -> set[str]:
    ending = ENDINGS[kind].format(architecture)
    # upstream's glob ignores hidden files, too
    return {
        stem_of_cache(name, dataset, architecture, kind) for name in names if name.endswith(ending) and name[0] != "."
    }


def names_in(folder: Path | str | None) -> list[str]:
    """List names; none if unreadable."""
    try:
        return os.listdir(folder) if folder else []  # noqa: PTH208
    except OSError:
        return []


def _missing(scan: Scan, architecture: str, kind: CacheKind) -> Iterator[Item]:
    for dataset, folder in _with_folder(scan):
        there = stems_cached(names_in(folder), dataset, architecture, kind)
        yield from (item for item in dataset.items if item.stem not in there)


def broken_caches(paths: Iterable[Path], last: str = "") -> tuple[Path, ...]:
    """List incomplete caches, which make data workers hang at step 0."""
    return tuple(path for path in paths if not is_whole(path, last))


def has_values(path: Path, kind: CacheKind, may_be_zero: str = "") -> bool:
    """Whether all numbers are finite and no latent or text is all zero.

    musubi-tuner replaces NaN by 0 (dataset/cache_io.py, v0.3.4). ``may_be_zero``: part of names that don't count.
    """
    try:
        found = values_of(path)
    except (MusubiError, OSError):
        return False
    counting = (name for name in found.zero if not may_be_zero or may_be_zero not in name)
    return not found.not_finite and not any(_NEVER_ZERO[kind](name) for name in counting)


_NEVER_ZERO: dict[CacheKind, Callable[[str], bool]] = {
    "latent": lambda name: bool(re.match(r"latents_\d", name)),  # FramePack's history of a first section is zero
    "text": lambda name: "mask" not in name,
}


def is_whole(path: Path, last: str = "") -> bool:
    """Whether it is complete and has a tensor beginning with ``last``."""
    try:
        return any(name.startswith(last) for name in read_header(path).tensors)
    except MusubiError:
        return False


def _with_folder(scan: Scan) -> Iterator[tuple[DatasetScan, Path]]:
    return ((dataset, dataset.cache_folder) for dataset in scan.datasets if dataset.cache_folder is not None)


def _ending_in(folder: Path, ending: str) -> tuple[Path, ...]:
    return tuple(folder / name for name in sorted(names_in(folder)) if name.endswith(ending) and name[0] != ".")


def _stem(name: str, dataset: DatasetScan, architecture: str) -> str:
    clip = r"_\d{5,}-\d{3,}(?:-\d{4,})?" if dataset.kind == "video" else ""
    tail = re.search(rf"{clip}_\d{{4,}}x\d{{4,}}_{re.escape(architecture)}\.safetensors$", name)
    return name[: tail.start()] if tail else ""
