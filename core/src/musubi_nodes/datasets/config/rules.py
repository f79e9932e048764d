"""Rules between fields of a dataset."""

from __future__ import annotations

from musubi_nodes.datasets.config.buckets import SIZE_STEP
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, effective
from musubi_nodes.errors import Problem


def config_problems(config: DatasetConfig) -> list[Problem]:
    found: list[Problem] = []
    for number, dataset in enumerate(effective(config)):
        where = f"datasets[{number}]"
        if (dataset.directory is None) == (dataset.jsonl_file is None):
            text = f"{where}: needs either a {dataset.kind} directory or a JSONL file"
            found.append(Problem("dataset-source-missing", text))
        if dataset.directory is not None and dataset.caption_extension is None:
            text = f'{where}: no caption_extension; add caption_extension = ".txt" here or under [general]'
            found.append(Problem("caption-extension-missing", text))
        found.extend(_resolution(f"{where}.resolution: ", dataset))
    return found


def _resolution(where: str, dataset: DatasetSection) -> list[Problem]:
    width, height = dataset.resolution
    buckets = dataset.enable_bucket or dataset.kind == "video"  # videos are always put into buckets for their latents
    if buckets and width * height < (2 * SIZE_STEP) ** 2:
        text = f"{width}x{height} is too small for buckets; use at least {2 * SIZE_STEP}x{2 * SIZE_STEP}"
        return [Problem("resolution-too-small", where + text)]
    if not buckets and (width % SIZE_STEP or height % SIZE_STEP):
        near = f"[{width - width % SIZE_STEP}, {height - height % SIZE_STEP}]"
        text = f"{width}x{height} is not a multiple of {SIZE_STEP}; use {near} or enable_bucket = true"
        return [Problem("resolution-not-a-multiple", where + text)]
    return []
