"""When caches must be made again: a short hash over media, captions and the options that change a cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from musubi_nodes.datasets.captions import read_caption
from musubi_nodes.datasets.items import Item, Scan
from musubi_nodes.datasets.names import is_image
from musubi_nodes.datasets.schema import Dataset, DatasetConfig, effective

Part = Literal["all", "latent", "text"]
# What training reads again at its start does not change a cache, nor does where the caches lie.
_NOT_CACHED = frozenset(("batch_size", "num_repeats", "caption_extension", "cache_directory"))
_SOURCES = frozenset(
    ("image_directory", "image_jsonl_file", "video_directory", "video_jsonl_file", "control_directory")
)


def fingerprint(config: DatasetConfig, scan: Scan, *, part: Part = "all") -> str:
    """16 hex digits. "latent" leaves captions out, "text" leaves out all but paths and captions."""
    datasets = effective(config)
    digests = [
        item_fingerprint(item, datasets[found.index], part=part) for found in scan.datasets for item in found.items
    ]
    return _digest([str(len(datasets)), *(f"{found.index}:{len(found.items)}" for found in scan.datasets), *digests])


def item_fingerprint(item: Item, dataset: Dataset, *, part: Part = "all") -> str:
    """The same for one item, so that only stale caches need to go."""
    parts: list[str | bytes] = [os.fsencode(item.path)]
    if part != "text":
        parts += _options(dataset)
        for path in (item.path, *item.targets, *item.controls):
            parts += _files(path)
    if part != "latent":
        parts.append(_caption(item))
    return _digest(parts)


def _options(dataset: Dataset) -> list[str]:
    values = dataset.model_dump(mode="json", exclude=set(_NOT_CACHED | _SOURCES))
    return [f"{name}={values[name]!r}" for name in sorted(values)]


def _files(path: Path) -> list[str | bytes]:
    members = [path]
    if path.is_dir():
        members = sorted(entry for entry in path.iterdir() if is_image(entry.name))
    return [part for member in members for part in _file(member)]


def _file(path: Path) -> tuple[bytes, str]:
    try:
        found = path.stat()
    except OSError:
        return os.fsencode(path), "missing"
    return os.fsencode(path), f"{found.st_size}:{found.st_mtime_ns}"


def _caption(item: Item) -> bytes:
    text = item.caption
    if text is None and item.caption_path is not None:
        text = read_caption(item.caption_path)
    return b"none" if text is None else b"text:" + text.encode("utf-8", "surrogatepass")


def _digest(parts: Iterable[str | bytes]) -> str:
    whole = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "little") + data)  # lengths keep neighbours apart
    return whole.hexdigest()[:16]
