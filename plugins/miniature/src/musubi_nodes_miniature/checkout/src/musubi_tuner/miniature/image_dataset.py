"""Datasets of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .buckets import BucketSelector, Size
from .config import ImageParams
from .dataset import Bucket, Dataset, Item
from .media import fit, open_image
from .sources import Source, image_sources
from .tensors import read_header


class ImageDataset(Dataset[ImageParams]):
    """Images, each with at most a few control images."""

    @property
    def folder(self) -> str | None:
        return self.params.image_directory

    def find_sources(self) -> list[Source]:
        return image_sources(self.params)

    def items_of(self, source: Source) -> Iterator[Item]:
        image = open_image(source.path)
        size = self.selector.size_for(image.size)
        controls = tuple(fit(open_image(path), self._control_size(path, size))[..., :3] for path in source.controls)
        stem = Path(source.path).stem
        yield Item(
            source.path,
            source.caption,
            image.size,
            (*size, *self._window(), *(side for control in controls for side in control.shape[:2])),
            fit(image, size)[None, ..., :3],
            self.cache_path(stem, image.size),
            self.cache_path(stem),
            controls=controls,
            control_indices=tuple(self.params.fp_1f_clean_indices or ()),
            target_index=self.params.fp_1f_target_index or 0,
            window=self.params.fp_latent_window_size,
            no_post=self.params.fp_1f_no_post,
        )

    def _control_size(self, path: str, size: Size) -> Size:
        if self.params.control_resolution is not None:
            return BucketSelector(self.params.control_resolution).size_for(open_image(path).size)
        if self.params.no_resize_control:
            return BucketSelector(size, True, True).size_for(open_image(path).size)
        return size

    def _window(self) -> Bucket:
        if not self.family.window_in_bucket:
            return ()
        params = self.params
        if params.fp_1f_clean_indices is None:
            return (params.fp_latent_window_size,)
        return (params.fp_latent_window_size, len(params.fp_1f_clean_indices), params.fp_1f_no_post)

    def bucket_of(self, name: list[str], size: Size, cache: str) -> tuple[str, Bucket]:
        controls = sorted(key for key in read_header(Path(cache))[0] if key.startswith("latents_control_"))
        shapes = [key.rsplit("_", 1)[0] for key in controls]
        return "_".join(name[:-2]), (*self.selector.size_for(size), *self._window(), *shapes)

    def describe(self) -> list[str]:
        names = ("image_directory", "image_jsonl_file", "control_directory")
        rest = (
            "multiple_target",
            "fp_latent_window_size",
            "fp_1f_clean_indices",
            "fp_1f_target_index",
            "fp_1f_no_post",
            "no_resize_control",
            "control_resolution",
        )
        return [f'{name}: "{getattr(self.params, name)}"' for name in names] + [
            f"{name}: {getattr(self.params, name)}" for name in rest
        ]

    def metadata(self) -> dict[str, Any]:
        return {
            **self._common_metadata(),
            **self._base_names("image_directory", "image_jsonl_file", "control_directory"),
            "has_control": self.params.control_directory is not None or any(s.controls for s in self.sources),
        }
