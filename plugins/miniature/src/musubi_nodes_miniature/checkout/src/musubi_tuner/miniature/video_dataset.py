"""Datasets of videos."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .buckets import BucketSelector, Size
from .config import VideoParams
from .dataset import Bucket, Dataset, Item, frames_of
from .media import read_video
from .sources import Source, video_sources
from .tensors import Array

DATASETS = logging.getLogger("musubi_tuner.dataset.image_video_dataset")


class VideoDataset(Dataset[VideoParams]):
    """Videos, from each of which one or more clips are cut."""

    @property
    def folder(self) -> str | None:
        return self.params.video_directory

    def find_sources(self) -> list[Source]:
        self.target_frames = self._rounded_targets()
        sources = video_sources(self.params)
        self.extraction = self.params.frame_extraction
        if self.extraction == "uniform" and self.params.frame_sample == 1:
            self.extraction = "head"
            DATASETS.warning(
                "frame_sample is set to 1 for frame_extraction=uniform. frame_extraction is changed to head."
            )
        return sources

    def _rounded_targets(self) -> tuple[int, ...]:
        given = sorted(set(self.params.target_frames))
        targets = sorted({frames_of(count) for count in given})
        if targets != given:
            DATASETS.warning(f"target_frames are rounded to {targets}")
        return tuple(targets)

    def clips(self, length: int) -> list[tuple[int, int]]:
        """Start and number of frames of every clip of a video of ``length`` frames."""
        params = self.params
        if self.extraction == "full":
            return [(0, frames_of(min(length, params.max_frames)))]
        found: list[tuple[int, int]] = []
        for target in self.target_frames:
            last = length - target
            starts: Sequence[int]
            if self.extraction == "head":
                starts = [0]
            elif self.extraction == "chunk":
                starts = range(0, last + 1, target)
            elif self.extraction == "slide":
                starts = range(0, last + 1, params.frame_stride)
            elif self.extraction == "uniform":
                starts = np.linspace(0, last, params.frame_sample, dtype=int).tolist()
            else:
                raise ValueError(f"frame_extraction {self.extraction} is not supported")
            found += [(start, target) for start in starts if last >= 0]
        return found

    def items_of(self, source: Source) -> Iterator[Item]:
        # upstream ignores enable_bucket here, so that clips are always brought to a bucket
        selector = BucketSelector(self.params.resolution)
        end = max(self.target_frames) if self.extraction == "head" else None
        frames = self._read(source.path, end, selector)
        caption = source.caption
        video = np.stack(frames)
        original = (video.shape[2], video.shape[1])
        size = selector.size_for(original)
        controls = [self._read(path, end, selector)[: len(video)] for path in source.controls]
        stacked = [np.stack(frames + [frames[-1]] * (len(video) - len(frames))) for frames in controls]
        for start, count in self.clips(len(video)):
            stem = f"{Path(source.path).stem}_{start:05d}-{count:03d}"
            yield Item(
                source.path,
                caption,
                original,
                (*size, count),
                video[start : start + count],
                self.cache_path(stem, original),
                self.cache_path(Path(source.path).stem),
                frame_count=count,
                window=self.params.fp_latent_window_size,
                controls=tuple(control[start : start + count] for control in stacked),
            )

    def _read(self, path: str, end: int | None, selector: BucketSelector) -> list[Array]:
        return read_video(
            path, end, selector=selector, source_fps=self.params.source_fps, fps=self.family.frames_per_second
        )

    def bucket_of(self, name: list[str], size: Size, cache: str) -> tuple[str, Bucket]:
        count = int(name[-3].split("-")[1])
        return "_".join(name[:-3]), (*self.selector.size_for(size), count)

    def describe(self) -> list[str]:
        names = ("video_directory", "video_jsonl_file", "control_directory")
        values = {
            "target_frames": self.target_frames,
            "frame_extraction": self.extraction,
            **{name: getattr(self.params, name) for name in ("frame_stride", "frame_sample", "max_frames")},
            "source_fps": self.params.source_fps,
            "fp_latent_window_size": self.params.fp_latent_window_size,
        }
        return [f'{name}: "{getattr(self.params, name)}"' for name in names] + [f"{k}: {v}" for k, v in values.items()]

    def metadata(self) -> dict[str, Any]:
        params = self.params
        return {
            **self._common_metadata(),
            **self._base_names("video_directory", "video_jsonl_file", "control_directory"),
            "frame_extraction": self.extraction,
            "frame_stride": params.frame_stride,
            "frame_sample": params.frame_sample,
            "target_frames": self.target_frames,
            "max_frames": params.max_frames,
            "source_fps": params.source_fps,
            "has_control": params.control_directory is not None or any(s.controls for s in self.sources),
        }
