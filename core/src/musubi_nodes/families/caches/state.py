"""The state of a dataset's cache files as one short text: the same state, the same files."""

from __future__ import annotations

from musubi_nodes.datasets.caches import ENDINGS, CacheKind
from musubi_nodes.datasets.folder_state import FolderState
from musubi_nodes.datasets.schema import cache_folder_of, effective
from musubi_nodes.families.sockets import Dataset


def cache_state(dataset: Dataset, architecture: str, kind: CacheKind) -> str:
    """Of all cache files of this kind in the dataset's folders; "" where a folder cannot be read."""
    folders = [folder for part in effective(dataset.config) if (folder := cache_folder_of(part))]
    try:
        return FolderState.of(folders, ENDINGS[kind].format(architecture)).digest
    except OSError:
        return ""
