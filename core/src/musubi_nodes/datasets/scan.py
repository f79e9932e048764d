"""What musubi-tuner will see in a dataset, and what it will not, before anything runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from musubi_nodes.datasets.folder import scan_folder
from musubi_nodes.datasets.items import DatasetScan, Item, Scan
from musubi_nodes.datasets.jsonl import scan_jsonl
from musubi_nodes.datasets.schema import DatasetConfig, cache_folder_of, effective, source_of

__all__ = ["DatasetScan", "Item", "Scan", "scan"]


def scan(config: DatasetConfig) -> Scan:
    """List every dataset; no pixel is decoded. Raises nothing for bad content: :mod:`.check` judges."""
    found = []
    with _no_garbage():
        for index, dataset in enumerate(effective(config)):
            empty = DatasetScan(index, dataset.kind, source_of(dataset), cache_folder_of(dataset))
            look = scan_folder if dataset.directory is not None else scan_jsonl
            found.append(look(empty, dataset))
    return Scan(tuple(found))


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Hundreds of thousands of small objects are made here, and all stay: without this, the collector would walk
    through them and the host's whole heap again and again, for a fifth of the time and nothing to collect. Freezing
    and thawing makes them old ones at once, which it would do by a last walk."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            if not gc.get_freeze_count():  # who froze something himself wants it to stay so
                gc.freeze()
                gc.unfreeze()
            gc.enable()
