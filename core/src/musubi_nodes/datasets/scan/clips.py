"""Clips of a video (dataset/image_video_dataset.py, v0.3.4)."""

from __future__ import annotations

from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.datasets.config.schema import VideoDataset

_RULE = FrameRule()  # every family's VAE takes N*4+1 frames; FramePack's windows come later, in its cache script


def rounded_targets(dataset: VideoDataset) -> tuple[int, ...]:
    """Round ``target_frames`` down to N*4+1."""
    return tuple(sorted({_RULE.round_down(frames) for frames in dataset.target_frames}))


def extraction(dataset: VideoDataset) -> str:
    """Return how clips are really taken: one uniform sample is the head."""
    alone = dataset.frame_extraction == "uniform" and dataset.frame_sample == 1
    return "head" if alone else dataset.frame_extraction


def frames_read(dataset: VideoDataset, frames: int, fps: float | None) -> int:
    """Count frames after dropping from ``source_fps`` to ``fps``.

    A slower source keeps all frames, but "head" ends early.
    """
    end = max(rounded_targets(dataset)) if extraction(dataset) == "head" else None
    if dataset.source_fps is None or fps is None:
        return frames if end is None else min(frames, end)
    position, previous, count = 0.0, -1, 0
    for _ in range(frames):
        index = int(position)
        position += fps / dataset.source_fps
        if end is not None and index >= end:
            break
        count += index != previous
        previous = index
    return count


def clips_of(dataset: VideoDataset, frames: int, fps: float | None = None) -> dict[int, int]:
    """Count clips by length; empty: the video is left out silently."""
    frames = frames_read(dataset, frames, fps)
    if extraction(dataset) == "full":
        length = _RULE.round_down(min(frames, dataset.max_frames))
        return {length: 1} if length > 0 else {}
    counts = {length: _count(dataset, frames - length, length) for length in rounded_targets(dataset)}
    return {length: count for length, count in counts.items() if count}


def _count(dataset: VideoDataset, room: int, length: int) -> int:
    """Count clips; ``room`` is the last possible first frame."""
    way = extraction(dataset)
    if room < 0:
        return 0
    if way == "head":
        return 1
    if way == "uniform":
        return dataset.frame_sample
    return room // (length if way == "chunk" else dataset.frame_stride) + 1
