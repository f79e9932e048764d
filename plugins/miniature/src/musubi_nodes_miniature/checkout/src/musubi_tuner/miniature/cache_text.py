"""The text cache scripts: encode every caption of every dataset."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from . import MADE_BY
from .cache_latents import drop_unowned
from .datasets import load_datasets
from .families import Family
from .output import MAIN
from .tensors import Tensor, metadata_of, save

LOG = logging.getLogger("musubi_tuner.cache_text_encoder_outputs")
CACHES = logging.getLogger("musubi_tuner.dataset.cache_io")


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Encode the captions of ``--dataset_config`` with the family's text encoder."""
    MAIN.info(f"Load dataset config from {args.dataset_config}")
    datasets = load_datasets(args.dataset_config, family)
    existing = [set(dataset.existing_caches(text=True)) for dataset in datasets]
    encode = family.text_encoder(args)
    owned: list[set[str]] = []
    for number, dataset in enumerate(datasets):
        LOG.info(f"Encoding dataset [{number}]")
        owned.append(set())
        for batch in tqdm(dataset.captions_to_encode()):
            owned[-1] |= {path for _, path in batch}
            for caption, path in batch:
                if not (args.skip_existing and path in existing[number]):
                    save_caption(path, caption, encode(caption), family)
    for files, paths in zip(existing, owned, strict=True):
        drop_unowned(files, paths, args.keep_cache, MAIN)


def save_caption(path: str, caption: str, tensors: Mapping[str, Tensor], family: Family) -> None:
    """Write one text cache in place; another caption in an existing file is worth a warning."""
    if Path(path).exists():
        before = (metadata_of(path) or {}).get("caption1", caption)
        if before != caption:
            CACHES.warning(f"caption mismatch: existing={before}, new={caption}, overwrite")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    metadata = {"architecture": family.full, "caption1": caption, "format_version": "1.0.1", "made_by": MADE_BY}
    save(path, tensors, metadata)
