"""Datasets: what there is to encode, under which cache names, and which cached items make the training batches."""

from __future__ import annotations

import logging
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .buckets import BucketSelector, Size
from .config import DatasetParams
from .families import Family
from .sources import Source
from .tensors import Array

BUCKETS = logging.getLogger("musubi_tuner.dataset.bucket")
CACHES = logging.getLogger("musubi_tuner.dataset.cache_io")

Bucket = tuple[Any, ...]
"""Width, height and whatever else items of one batch must share."""

TEMPORAL_STRIDE = 4
"""Frames per latent frame behind the first one."""


def frames_of(count: int) -> int:
    """``count`` rounded down to 4n+1."""
    return (count - 1) // TEMPORAL_STRIDE * TEMPORAL_STRIDE + 1


@dataclass(frozen=True)
class Item:
    """Pixels to encode: ``frames`` is uint8 (frames, height, width, 3); a caption belongs to every item."""

    path: str
    caption: str
    original_size: Size
    bucket: Bucket
    frames: Array
    latent_cache: str
    text_cache: str
    frame_count: int | None = None
    controls: tuple[Array, ...] = ()
    control_indices: tuple[int, ...] = ()
    target_index: int = 0
    window: int = 9
    no_post: bool = False

    def need_pixels(self) -> None:
        """Refuse what is smaller than one latent cell."""
        if min(self.frames.shape[1:3]) < 8:
            raise ValueError(f"Image or video size too small: {self.path} and 0 more, size: {self.original_size}")


@dataclass(frozen=True)
class CachedItem:
    """One item that can be trained on, by the files of its two caches."""

    latent_cache: str
    text_cache: str


Params = TypeVar("Params", bound=DatasetParams)


class Dataset(ABC, Generic[Params]):
    """One ``[[datasets]]`` of the TOML, for one family of models."""

    def __init__(self, params: Params, family: Family) -> None:
        self.params, self.family = params, family
        self.sources = self.find_sources()
        self.buckets: dict[Bucket, list[CachedItem]] = {}
        self.batches: list[tuple[Bucket, int]] = []

    @property
    @abstractmethod
    def folder(self) -> str | None:
        """Where the files lie, which is also where caches go without a ``cache_directory``."""

    @abstractmethod
    def find_sources(self) -> list[Source]:
        """The images or videos, in upstream's order."""

    @abstractmethod
    def items_of(self, source: Source) -> Iterator[Item]:
        """The pixels of one source, brought to the size of its bucket."""

    @abstractmethod
    def bucket_of(self, name: list[str], size: Size, cache: str) -> tuple[str, Bucket]:
        """The text cache's stem and the training bucket of a latent cache, whose name was split at ``_``."""

    @abstractmethod
    def describe(self) -> list[str]:
        """The lines about this kind of dataset in upstream's overview."""

    @abstractmethod
    def metadata(self) -> dict[str, Any]:
        """What ``ss_datasets`` in a LoRA's metadata says about it: base names only."""

    @property
    def cache_directory(self) -> str | None:
        return self.params.cache_directory if self.params.cache_directory is not None else self.folder

    @property
    def selector(self) -> BucketSelector:
        return BucketSelector(self.params.resolution, self.params.enable_bucket, self.params.bucket_no_upscale)

    def cache_path(self, stem: str, size: Size | None = None) -> str:
        """The latent cache of a file of the original ``size``, or its text cache without one."""
        assert self.cache_directory is not None, "cache_directory is required / cache_directoryは必須です"
        middle = f"{size[0]:04d}x{size[1]:04d}_" if size else ""
        name = f"{stem}_{middle}{self.family.short}{'' if size else '_te'}.safetensors"
        return str(Path(self.cache_directory, name))

    def existing_caches(self, text: bool = False) -> list[str]:
        """The cache files of this family that lie in the cache folder, whoever wrote them."""
        pattern = f"*_{self.family.short}{'_te' if text else ''}.safetensors"
        return sorted(str(path) for path in Path(str(self.cache_directory)).glob(pattern))

    def batches_to_encode(self) -> Iterator[list[Item]]:
        """Items in batches of one bucket: full ones as soon as they are, the rest at the end."""
        waiting: dict[Bucket, list[Item]] = {}
        for source in self.sources:
            for item in self.items_of(source):
                group = waiting.setdefault(item.bucket, [])
                group.append(item)
                if len(group) >= self.params.batch_size:
                    yield waiting.pop(item.bucket)
        yield from waiting.values()

    def captions_to_encode(self) -> Iterator[list[tuple[str, str]]]:
        """Captions with the path of their cache, in batches."""
        pairs = []
        for source in self.sources:
            pairs.append((source.caption, self.cache_path(Path(source.path).stem)))
            if len(pairs) == self.params.batch_size:
                yield pairs
                pairs = []
        if pairs:
            yield pairs

    def prepare_for_training(self) -> None:
        """Find the cached items and sort them into buckets and batches."""
        for cache in self.existing_caches():
            tokens = Path(cache).name.split("_")
            width, height = map(int, tokens[-2].split("x"))
            stem, bucket = self.bucket_of(tokens, (width, height), cache)
            text = self.cache_path(stem)
            if not Path(text).exists():
                CACHES.warning(f"Text encoder output cache file not found: {text}")
                continue
            self.buckets.setdefault(bucket, []).extend([CachedItem(cache, text)] * self.params.num_repeats)
        size = self.params.batch_size
        for bucket in sorted(self.buckets):
            count = len(self.buckets[bucket])
            BUCKETS.info(f"bucket: {bucket}, count: {count}")
            self.batches += [(bucket, index) for index in range(math.ceil(count / size))]
        BUCKETS.info(f"total batches: {len(self.batches)}")

    @property
    def num_train_items(self) -> int:
        return sum(len(bucket) for bucket in self.buckets.values())

    def shuffle(self, seed: int) -> None:
        """A new order of items and batches for one epoch."""
        order = random.Random(seed)
        for bucket in self.buckets.values():
            order.shuffle(bucket)
        order.shuffle(self.batches)

    def batch(self, index: int) -> list[CachedItem]:
        """The items of one batch."""
        bucket, number = self.batches[index]
        size = self.params.batch_size
        return self.buckets[bucket][number * size : (number + 1) * size]

    def _common_metadata(self) -> dict[str, Any]:
        params = self.params
        return {
            "resolution": params.resolution,
            "caption_extension": params.caption_extension,
            "batch_size_per_device": params.batch_size,
            "num_repeats": params.num_repeats,
            "enable_bucket": params.enable_bucket,
            "bucket_no_upscale": params.bucket_no_upscale,
        }

    def _base_names(self, *names: str) -> dict[str, str]:
        values = {name: getattr(self.params, name) for name in names}
        return {name: Path(value).name for name, value in values.items() if value is not None}
