"""What a scan found: items, datasets, the whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.datasets.names import stem_of
from musubi_nodes.datasets.schema import Kind


@dataclass(frozen=True)
class Item:
    """One image or video that musubi-tuner would train on.

    ``caption`` is its text as musubi-tuner reads it, None if it was not read or is not UTF-8; ``caption_path`` is None
    for JSONL lines. ``targets`` are further images of a layered item.
    """

    path: Path
    caption_path: Path | None = None
    caption: str | None = None
    controls: tuple[Path, ...] = ()
    targets: tuple[Path, ...] = ()
    line: int | None = None

    @property
    def stem(self) -> str:
        return stem_of(self.path)


@dataclass(frozen=True)
class DatasetScan:
    """What one dataset holds.

    ``trouble`` says why the source could not be read at all. ``without_caption`` are left out by musubi-tuner (images)
    or stop it (videos). ``subfolders`` hold media that it does not see. ``duplicate_stems`` would share cache files.
    ``bad_companions`` are controls or further targets whose names stop musubi-tuner. ``bad_lines``, ``relative_lines``
    and ``missing_files`` are about JSONL lines.
    """

    index: int
    kind: Kind
    source: Path
    cache_folder: Path | None
    trouble: str = ""
    items: tuple[Item, ...] = ()
    without_caption: tuple[Path, ...] = ()
    captions_alone: tuple[Path, ...] = ()
    ignored: tuple[Path, ...] = ()
    subfolders: tuple[Path, ...] = ()
    not_utf8: tuple[Path, ...] = ()
    empty_captions: tuple[Path, ...] = ()
    marked_captions: tuple[Path, ...] = ()
    duplicate_stems: tuple[tuple[Path, ...], ...] = ()
    missing_controls: tuple[Path, ...] = ()
    bad_companions: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    relative_lines: tuple[int, ...] = ()
    bad_lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"datasets[{self.index}]"


@dataclass(frozen=True)
class Scan:
    """All datasets, in the order of the TOML."""

    datasets: tuple[DatasetScan, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for dataset in self.datasets for item in dataset.items)
