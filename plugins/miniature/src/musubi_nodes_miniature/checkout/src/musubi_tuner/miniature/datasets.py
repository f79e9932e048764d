"""From the dataset TOML to datasets."""

from __future__ import annotations

import logging
from pathlib import Path

from .config import ImageParams, dataset_params, load_config
from .families import Family
from .image_dataset import ImageDataset
from .video_dataset import VideoDataset

LOG = logging.getLogger("musubi_tuner.dataset.config_utils")

AnyDataset = ImageDataset | VideoDataset


def load_datasets(config_file: str | Path, family: Family) -> list[AnyDataset]:
    """The datasets of a TOML, with upstream's log lines and refusals."""
    datasets: list[AnyDataset] = [
        ImageDataset(params, family) if isinstance(params, ImageParams) else VideoDataset(params, family)
        for params in dataset_params(load_config(config_file))
    ]
    folders = [dataset.cache_directory for dataset in datasets]
    if len(set(folders)) != len(folders):
        raise ValueError(
            "cache directory should be unique for each dataset (note that cache directory is image/video directory if"
            " not specified) / cache directory は各データセットごとに異なる必要があります（指定されていない場合は"
            "image/video directoryが使われるので注意）"
        )
    LOG.info("".join(_overview(i, dataset) for i, dataset in enumerate(datasets)))
    assert datasets, "datasets should not be an empty iterable"
    return datasets


def _overview(index: int, dataset: AnyDataset) -> str:
    params = dataset.params
    lines = [
        f"[Dataset {index}]",
        f"  is_image_dataset: {isinstance(dataset, ImageDataset)}",
        f"  resolution: {params.resolution}",
        f"  batch_size: {params.batch_size}",
        f"  num_repeats: {params.num_repeats}",
        f'  caption_extension: "{params.caption_extension}"',
        f"  enable_bucket: {params.enable_bucket}",
        f"  bucket_no_upscale: {params.bucket_no_upscale}",
        f'  cache_directory: "{dataset.cache_directory}"',
        "  debug_dataset: False",
        *(f"    {line}" for line in dataset.describe()),
    ]
    return "\n".join(lines) + "\n\n"
