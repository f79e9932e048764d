"""Totals of the cache scripts' bars, which print none."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Literal

from musubi_nodes.datasets.config.buckets import bucket_of
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, ImageDataset, VideoDataset, effective
from musubi_nodes.datasets.files.facts import video_facts
from musubi_nodes.datasets.scan.clips import clips_of
from musubi_nodes.datasets.scan.items import DatasetScan, Item, Scan
from musubi_nodes.errors import MusubiError

Keys = Counter[tuple[int, int, int]]


def cache_totals(
    scan: Scan,
    config: DatasetConfig,
    kind: Literal["latent", "text"] = "latent",
    *,
    fps: float | None = None,
) -> tuple[int | None, ...]:
    """Count batches of each dataset; None if a header is unreadable.

    ``fps`` is the model's. HunyuanVideo has two passes over texts.
    """
    datasets = effective(config)
    return tuple(_total(found, datasets[found.index], kind, fps) for found in scan.datasets)


def training_batches(scan: Scan, config: DatasetConfig, *, fps: float | None = None) -> int | None:
    """Count batches of one epoch, if known.

    Repeats come first (dataset/image_video_dataset.py, v0.3.4).
    """
    datasets, total = effective(config), 0
    for found in scan.datasets:
        dataset = datasets[found.index]
        keys = None if _sizes_of_controls_count(found, dataset) else batch_keys(found, dataset, fps=fps)
        if keys is None:
            return None
        total += _batches(keys, dataset.batch_size, dataset.num_repeats)
    return total


def batch_keys(found: DatasetScan, dataset: DatasetSection, *, fps: float | None = None) -> Keys | None:
    """Count items by bucket and number of controls or frames."""
    if isinstance(dataset, VideoDataset):
        return _clip_keys(found, dataset, fps)
    return _image_keys(found, dataset)


def _total(found: DatasetScan, dataset: DatasetSection, kind: str, fps: float | None) -> int | None:
    if kind == "text":
        return ceil(len(found.items) / dataset.batch_size)
    if isinstance(dataset, ImageDataset) and dataset.batch_size == 1:
        return len(found.items)
    if _sizes_of_controls_count(found, dataset):
        return None
    keys = batch_keys(found, dataset, fps=fps)
    return None if keys is None else _batches(keys, dataset.batch_size)


def _sizes_of_controls_count(found: DatasetScan, dataset: DatasetSection) -> bool:
    """Whether each size of control is a batch of its own."""
    own = isinstance(dataset, ImageDataset) and (dataset.no_resize_control or dataset.control_resolution is not None)
    return own and any(item.control_files for item in found.items)


def _image_keys(found: DatasetScan, dataset: ImageDataset) -> Keys | None:
    keys: Keys = Counter()
    enable, keep = dataset.enable_bucket, dataset.bucket_no_upscale
    for item in found.items:
        if not isinstance(item.facts, tuple):
            return None
        bucket = bucket_of(item.facts.size, dataset.resolution, enable=enable, no_upscale=keep)
        key = (*bucket, _used_controls(item, dataset))
        keys[key] += 1
    return keys


def _used_controls(item: Item, dataset: ImageDataset) -> int:
    most = len(dataset.fp_1f_clean_indices) if dataset.fp_1f_clean_indices is not None else 1
    return min(len(item.control_files), most)


def _clip_keys(found: DatasetScan, dataset: VideoDataset, fps: float | None) -> Keys | None:
    if dataset.source_fps is not None and fps is None:
        return None
    facts = video_facts(item.file for item in found.items)
    keys: Keys = Counter()
    for item in found.items:
        video = facts[item.path]
        if isinstance(video, MusubiError):
            return None
        bucket = bucket_of((video.width, video.height), dataset.resolution, enable=True)
        keys.update({(*bucket, frames): count for frames, count in clips_of(dataset, video.frames, fps).items()})
    return keys


def _batches(keys: Keys, size: int, repeats: int = 1) -> int:
    return sum(ceil(count * repeats / size) for count in keys.values())
