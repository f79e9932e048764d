"""The latent cache scripts: encode every item of every dataset, then deal with files that no item owns."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import MADE_BY
from .dataset import Item
from .datasets import AnyDataset, load_datasets
from .families import Family
from .output import MAIN
from .tensors import Tensor, save


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Encode the datasets of ``--dataset_config`` with the family's VAE."""
    family.check_caching(args)
    MAIN.info(f"Load dataset config from {args.dataset_config}")
    datasets = load_datasets(args.dataset_config, family)
    if args.debug_mode is not None:
        show(datasets)
        return
    encode, log = family.latent_encoder(args), logging.getLogger(family.latent_log)
    for number, dataset in enumerate(datasets):
        log.info(f"Encoding dataset [{number}]")
        owned = set()
        for batch in tqdm(dataset.batches_to_encode()):
            for item in batch:
                paths = family.cache_paths(item)
                owned |= set(paths)
                if not (args.skip_existing and all(Path(path).exists() for path in paths)):
                    for path, tensors in zip(paths, encode(item), strict=True):
                        save_item(path, item, tensors, family)
        drop_unowned(dataset.existing_caches(), owned, args.keep_cache, log)


def save_item(path: str, item: Item, tensors: Mapping[str, Tensor], family: Family) -> None:
    """Write one latent cache with upstream's metadata, and a word about who made it."""
    metadata = {
        "architecture": family.full,
        "width": str(item.original_size[0]),
        "height": str(item.original_size[1]),
        "format_version": "1.0.1",
        **({"frame_count": str(item.frame_count)} if item.frame_count is not None else {}),
        "made_by": MADE_BY,
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save(path, tensors, metadata)


def drop_unowned(files: Iterable[str], owned: set[str], keep: bool, log: logging.Logger) -> None:
    """Without ``--keep_cache`` every cache of the family in the folder that no item owns is deleted, as upstream."""
    for file in files:
        if str(Path(file)) in {str(Path(path)) for path in owned}:
            continue
        if keep:
            log.info(f"Keep cache file not in the dataset: {file}")
        else:
            Path(file).unlink()
            log.info(f"Removed old cache file: {file}")


def show(datasets: list[AnyDataset]) -> None:
    """``--debug_mode``: what would be encoded, in words and without pictures."""
    for number, dataset in enumerate(datasets):
        print(f"Dataset [{number}]")
        for index, batch in enumerate(dataset.batches_to_encode()):
            print(f"bucket resolution: {batch[0].bucket}, count: {len(batch)}")
            for place, item in enumerate(batch):
                mean = np.round(item.frames.mean(), 1)
                print(f"{index}-{place}: {item.path}, caption={item.caption}, shape={item.frames.shape}, mean={mean}")
