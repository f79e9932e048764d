"""Results of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.datasets.config.schema import Kind
from musubi_nodes.datasets.files.captions import is_empty, is_marked
from musubi_nodes.datasets.files.headers import ImageFacts
from musubi_nodes.datasets.files.listing import File
from musubi_nodes.datasets.files.names import stem_of
from musubi_nodes.errors import MusubiError, Problem


class Item(NamedTuple):
    """An image or video; makes paths on demand, as there may be 100,000.

    ``caption`` is None if not UTF-8, ``caption_file`` for JSONL, ``facts`` for videos.
    ``target_files`` belong to layered items.
    """

    file: File
    caption_file: File | None = None
    caption: str | None = None
    control_files: tuple[File, ...] = ()
    target_files: tuple[File, ...] = ()
    line: int | None = None
    facts: ImageFacts | MusubiError | None = None

    @property
    def path(self) -> Path:
        return Path(self.file.path)

    @property
    def media(self) -> tuple[File, ...]:
        return (self.file, *self.target_files, *self.control_files)

    @property
    def stem(self) -> str:
        return stem_of(self.file.path)

    @property
    def caption_path(self) -> Path:
        """The caption's file, or the item's own for JSONL."""
        return Path((self.caption_file or self.file).path)

    @property
    def plain(self) -> bool:
        """Whether it is an image without anything to report."""
        _, _, caption, controls, targets, _, facts = self
        if not caption or caption[0] == "\ufeff" or controls or targets or not self.file.path.isprintable():
            return False
        return isinstance(facts, ImageFacts) and not facts.odd


@dataclass(frozen=True)
class DatasetScan:
    """Contents of one dataset; ``trouble`` means an unreadable source.

    musubi-tuner leaves out images ``without_caption``, and stops for videos or
    ``bad_companions``. ``subfolders`` hold unseen media.
    """

    index: int
    kind: Kind
    source: Path
    cache_folder: Path | None
    trouble: Problem | None = None
    items: tuple[Item, ...] = ()
    without_caption: tuple[Path, ...] = ()
    captions_alone: tuple[Path, ...] = ()
    ignored: tuple[Path, ...] = ()
    subfolders: tuple[Path, ...] = ()
    duplicate_stems: tuple[tuple[Path, ...], ...] = ()
    missing_controls: tuple[Path, ...] = ()
    bad_companions: tuple[Problem, ...] = ()
    missing_files: tuple[str, ...] = ()
    relative_lines: tuple[int, ...] = ()
    bad_lines: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return f"datasets[{self.index}]"

    @cached_property
    def noticed(self) -> tuple[Item, ...]:
        """Items that a check must look at: a few of 100,000."""
        return tuple(item for item in self.items if not item.plain)

    @property
    def not_utf8(self) -> tuple[Path, ...]:
        return tuple(item.caption_path for item in self.noticed if item.caption is None)

    @property
    def empty_captions(self) -> tuple[Path, ...]:
        return tuple(item.caption_path for item in self.noticed if item.caption is not None and is_empty(item.caption))

    @property
    def marked_captions(self) -> tuple[Path, ...]:
        sources = ((item.caption_path, item.caption) for item in self.noticed if item.caption is not None)
        return tuple(path for path, text in sources if is_marked(text) and not is_empty(text))


@dataclass(frozen=True)
class Scan:
    datasets: tuple[DatasetScan, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for dataset in self.datasets for item in dataset.items)
