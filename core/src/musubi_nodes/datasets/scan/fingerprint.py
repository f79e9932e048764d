"""Hashes of what caches are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from hashlib import sha256
from typing import Literal

from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, effective
from musubi_nodes.datasets.files.headers import ImageFacts
from musubi_nodes.datasets.files.listing import File, images_in
from musubi_nodes.datasets.scan.items import DatasetScan, Item, Scan

# Read at the start of a training, or only a place.
_NOT_CACHED = frozenset(("batch_size", "num_repeats", "caption_extension", "cache_directory"))
_SOURCES = frozenset(
    ("image_directory", "image_jsonl_file", "video_directory", "video_jsonl_file", "control_directory")
)


def fingerprint(config: DatasetConfig, scan: Scan) -> str:
    """Hash media, captions and options that affect caches."""
    datasets = effective(config)
    parts = [f"{len(datasets)}"]
    for found in scan.datasets:
        parts.append(f"{found.index}:{len(found.items)}")
        parts += _options(datasets[found.index])
        parts += map(_item, found.items)
    return _short("\0".join(parts))


Source = Literal["media", "control", "caption"]
"""What a cache is made from: all media, control files alone, the caption."""


def source_hashes(found: DatasetScan, dataset: DatasetSection, sources: Set[Source], build_key: str) -> dict[str, str]:
    """Hash each item's ``sources``, by stem.

    Media include the dataset's options; ``build_key`` is common to all. Folders don't
    count: a dataset may move.
    """
    common = "\0".join([build_key, *(_options(dataset) if sources - {"caption"} else ())])
    read = [_READ[source] for source in _READ if source in sources]
    return {item.stem: _short("\0".join([common, *(each(item) for each in read)])) for item in found.items}


def _files(files: Iterable[File]) -> str:
    members = (member for file in files for member in _members(file))
    return "\0".join(f"{member.name}\0{member.stamp}" for member in members)


def _controls(item: Item) -> str:
    """Include the item's size, which its controls get.

    ``get_item`` of dataset/image_video_dataset.py, v0.3.4.
    """
    size = item.facts.size if isinstance(item.facts, ImageFacts) else ""
    return f"{size}\0{_files(item.control_files)}"


_READ: dict[Source, Callable[[Item], str]] = {
    "media": lambda item: _files(item.media),
    "control": _controls,
    "caption": lambda item: item.caption or "",
}


def _short(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _item(item: Item) -> str:
    """Length prefixes and NUL keep neighbours apart."""
    (path, size, time, folder, changed), _, caption, controls, targets, _, _ = item
    text = f"{path}\0{size}-{time}-{changed}"
    if controls or targets or folder:
        text = "\0".join(f"{member.path}\0{member.stamp}" for file in item.media for member in _members(file))
    return f"{text}\0none" if caption is None else f"{text}\0{len(caption)}:{caption}"


def _options(dataset: DatasetSection) -> list[str]:
    values = dataset.model_dump(mode="json", exclude=set(_NOT_CACHED | _SOURCES))
    return [f"{name}={values[name]!r}" for name in sorted(values)]


def _members(file: File) -> Sequence[File]:
    if not file.is_folder:
        return (file,)
    try:
        return images_in(file.path)
    except OSError:
        return (file,)
