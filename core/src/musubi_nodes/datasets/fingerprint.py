"""When caches must be made again: a short hash over media, captions and the options that change a cache."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from musubi_nodes.datasets.captions import read_captions
from musubi_nodes.datasets.items import Item, Scan
from musubi_nodes.datasets.listing import File, list_folder
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
    parts = [f"{len(datasets)}"]
    for found in scan.datasets:
        parts.append(f"{found.index}:{len(found.items)}")
        if part != "text":
            parts += _options(datasets[found.index])
        parts += [_item(item, part) for item in found.items]
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _item(item: Item, part: Part) -> str:
    """What counts of one item. No path holds a NUL, and a caption has its length before it: neighbours stay apart."""
    text = item.file.path
    if part != "text":
        path, size, time, folder = item.file
        text = f"{path}\0{size}:{time}"
        if item.control_files or item.target_files or folder:
            text = "\0".join(
                f"{member.path}\0{member.size}:{member.mtime_ns}" for file in item.media for member in _members(file)
            )
    if part == "latent":
        return text
    caption = item.caption
    if caption is None and item.caption_file is not None:
        (caption,) = read_captions([item.caption_file])
    return f"{text}\0none" if caption is None else f"{text}\0{len(caption)}:{caption}"


def _options(dataset: Dataset) -> list[str]:
    values = dataset.model_dump(mode="json", exclude=set(_NOT_CACHED | _SOURCES))
    return [f"{name}={values[name]!r}" for name in sorted(values)]


def _members(file: File) -> Sequence[File]:
    """A folder of images counts by what is in it."""
    if not file.is_folder:
        return (file,)
    try:
        return sorted(image for name, image in list_folder(file.path).files.items() if is_image(name))
    except OSError:
        return (file,)
