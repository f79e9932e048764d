"""What must hold between the fields of a dataset, whichever way the configuration was made."""

from __future__ import annotations

from musubi_nodes.datasets.buckets import SIZE_STEP
from musubi_nodes.datasets.schema import Dataset, DatasetConfig, effective


def config_problems(config: DatasetConfig) -> list[str]:
    """One line for each dataset that musubi-tuner would choke on, before any file is looked at."""
    lines: list[str] = []
    for number, dataset in enumerate(effective(config)):
        where = f"datasets[{number}]"
        if (dataset.directory is None) == (dataset.jsonl_file is None):
            lines.append(f"{where}: needs either a {dataset.kind} directory or a JSONL file")
        if dataset.directory is not None and dataset.caption_extension is None:
            lines.append(f'{where}: no caption_extension; add caption_extension = ".txt" here or under [general]')
        lines.extend(f"{where}.resolution: {line}" for line in _resolution(dataset))
    return lines


def _resolution(dataset: Dataset) -> list[str]:
    width, height = dataset.resolution
    buckets = dataset.enable_bucket or dataset.kind == "video"  # videos are always put into buckets for their latents
    if buckets and width * height < (2 * SIZE_STEP) ** 2:
        return [f"{width}x{height} is too small for buckets; use at least {2 * SIZE_STEP}x{2 * SIZE_STEP}"]
    if not buckets and (width % SIZE_STEP or height % SIZE_STEP):
        near = f"[{width - width % SIZE_STEP}, {height - height % SIZE_STEP}]"
        return [f"{width}x{height} is not a multiple of {SIZE_STEP}; use {near} or enable_bucket = true"]
    return []
