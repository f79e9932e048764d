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
from .tensors import LONG_NAMES, Tensor, load, metadata_of, save

CACHES = logging.getLogger("musubi_tuner.dataset.cache_io")


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Encode the captions of ``--dataset_config``, once with each of the family's text encoders."""
    MAIN.info(f"Load dataset config from {args.dataset_config}")
    datasets = load_datasets(args.dataset_config, family)
    existing = [set(dataset.existing_caches(text=True)) for dataset in datasets]
    owned: list[set[str]] = [set() for _ in datasets]
    log = logging.getLogger(family.text_log)
    for encode in family.text_encoders(args):
        for number, dataset in enumerate(datasets):
            log.info(f"Encoding dataset [{number}]")
            for batch in tqdm(dataset.captions_to_encode()):
                owned[number] |= {path for _, path in batch}
                for caption, path in batch:
                    # what a first pass has just written is no reason to skip it in the second
                    if not (args.skip_existing and path in existing[number]):
                        save_caption(path, caption, encode(caption), family)
    for files, paths in zip(existing, owned, strict=True):
        drop_unowned(files, paths, args.keep_cache, log)


def save_caption(path: str, caption: str, tensors: Mapping[str, Tensor], family: Family) -> None:
    """Write one text cache in place, into what a file has of other encoders; another caption is worth a warning."""
    if Path(path).exists():
        ours = {content_name(name) for name in tensors}
        kept = {name: tensor for name, tensor in load(path).items() if content_name(name) not in ours}
        tensors = {**tensors, **kept}
        before = (metadata_of(path) or {}).get("caption1", caption)
        if before != caption:
            CACHES.warning(f"caption mismatch: existing={before}, new={caption}, overwrite")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    metadata = {"architecture": family.full, "caption1": caption, "format_version": "1.0.1", "made_by": MADE_BY}
    save(path, tensors, metadata)


def content_name(name: str) -> str:
    """A tensor's name without its dtype."""
    for dtype in LONG_NAMES.values():
        name = name.removesuffix(f"_{dtype}")
    return name
