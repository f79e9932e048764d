"""A dataset's shape with the most tokens."""

from __future__ import annotations

from musubi_nodes.datasets.config.schema import DatasetConfig, VideoDataset, effective
from musubi_nodes.families.memory.footprint import Shape, tokens
from musubi_nodes.families.models.dit_size import DitSize


def largest(config: DatasetConfig, size: DitSize, *, rank: int, training: bool = True) -> Shape:
    shapes = [
        Shape(*part.resolution, _frames(part), training, batch=part.batch_size, rank=rank) for part in effective(config)
    ]
    return max(shapes, key=lambda shape: tokens(size, shape))


def _frames(part: object) -> int:
    if not isinstance(part, VideoDataset):
        return 1
    return part.max_frames if part.frame_extraction == "full" else max(part.target_frames)
