"""The largest thing that a dataset brings into the GPU at once."""

from __future__ import annotations

from musubi_nodes.datasets.schema import DatasetConfig, VideoDataset, effective
from musubi_nodes.families.memory.footprint import Shape


def largest(config: DatasetConfig, *, rank: int, training: bool = True) -> Shape:
    """The shape of the dataset's part with the most tokens; buckets keep the resolution's area."""
    shapes = [
        Shape(*part.resolution, _frames(part), training, batch=part.batch_size, rank=rank) for part in effective(config)
    ]
    return max(shapes, key=lambda shape: shape.tokens)


def _frames(part: object) -> int:
    if not isinstance(part, VideoDataset):
        return 1
    return part.max_frames if part.frame_extraction == "full" else max(part.target_frames)
