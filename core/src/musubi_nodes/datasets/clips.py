"""Which clips musubi-tuner cuts out of a video (dataset/image_video_dataset.py and media_utils.py, v0.3.4)."""

from __future__ import annotations

from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.datasets.schema import VideoDataset

_RULE = FrameRule()  # every family's VAE takes N*4+1 frames; FramePack's windows come later, in its cache script


def rounded_targets(dataset: VideoDataset) -> tuple[int, ...]:
    """``target_frames`` rounded down to N*4+1, sorted, each once."""
    return tuple(sorted({_RULE.round_down(frames) for frames in dataset.target_frames}))


def extraction(dataset: VideoDataset) -> str:
    """The way that is really used: one uniform sample is the head."""
    alone = dataset.frame_extraction == "uniform" and dataset.frame_sample == 1
    return "head" if alone else dataset.frame_extraction


def frames_read(dataset: VideoDataset, frames: int, fps: float | None) -> int:
    """Frames that are left of ``frames`` after dropping from ``source_fps`` to the model's ``fps``.

    Nothing is ever doubled: a slower source keeps its frames, but they count as if some were missing, so that "head"
    ends early.
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
    """How many clips of each length a video of so many frames gives; empty: the video is silently left out.

    They are counted, not made: a long film cut with ``frame_stride = 1`` has millions.
    """
    frames = frames_read(dataset, frames, fps)
    if extraction(dataset) == "full":
        length = _RULE.round_down(min(frames, dataset.max_frames))
        return {length: 1} if length > 0 else {}
    counts = {length: _count(dataset, frames - length, length) for length in rounded_targets(dataset)}
    return {length: count for length, count in counts.items() if count}


def _count(dataset: VideoDataset, room: int, length: int) -> int:
    """Clips of one length, where the last one can begin at frame ``room``."""
    way = extraction(dataset)
    if room < 0:
        return 0
    if way == "head":
        return 1
    if way == "uniform":
        return dataset.frame_sample
    return room // (length if way == "chunk" else dataset.frame_stride) + 1
