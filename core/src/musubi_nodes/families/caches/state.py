"""State of a dataset's cache files."""

from __future__ import annotations

from musubi_nodes.datasets.config.schema import cache_folder_of, effective
from musubi_nodes.datasets.files.folder_state import FolderState
from musubi_nodes.datasets.scan.caches import ENDINGS, CacheKind
from musubi_nodes.families.sockets import Dataset


def cache_state(dataset: Dataset, architecture: str, kind: CacheKind) -> str:
    """Return a digest of the cache files, "" if unreadable."""
    folders = [folder for part in effective(dataset.config) if (folder := cache_folder_of(part))]
    try:
        return FolderState.of(folders, ENDINGS[kind].format(architecture)).digest
    except OSError:
        return ""
