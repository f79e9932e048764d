"""What a scan found: items, datasets, the whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from musubi_nodes.datasets.captions import is_empty, is_marked
from musubi_nodes.datasets.headers import ImageFacts
from musubi_nodes.datasets.listing import File
from musubi_nodes.datasets.names import stem_of
from musubi_nodes.datasets.schema import Kind
from musubi_nodes.errors import MusubiError, Problem


class Item(NamedTuple):
    """One image or video that musubi-tuner would train on. There may be 100,000: paths are made when asked for.

    ``caption`` is its text as musubi-tuner reads it, None if it is not UTF-8; ``caption_file`` is None
    for JSONL lines. ``target_files`` are further images of a layered item. ``facts`` are what an image's header tells,
    or why it cannot be read; None for videos.
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
        """The item's own file, its further targets and its controls."""
        return (self.file, *self.target_files, *self.control_files)

    @property
    def stem(self) -> str:
        return stem_of(self.file.path)

    @property
    def told_in(self) -> Path:
        """The file that its caption is in; for a line of a JSONL, its own."""
        return Path((self.caption_file or self.file).path)

    @property
    def plain(self) -> bool:
        """Whether it is an image of which nothing is odd, with a caption and without companions."""
        _, _, caption, controls, targets, _, facts = self
        if not caption or caption[0] == "\ufeff" or controls or targets or not self.file.path.isprintable():
            return False
        return isinstance(facts, ImageFacts) and not facts.odd


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
        """The items that a check has to look at: all but plain ones, mostly a few of 100,000."""
        return tuple(item for item in self.items if not item.plain)

    @property
    def not_utf8(self) -> tuple[Path, ...]:
        """Files of captions that cannot be read."""
        return tuple(item.told_in for item in self.noticed if item.caption is None)

    @property
    def empty_captions(self) -> tuple[Path, ...]:
        """Files of captions that say nothing."""
        return tuple(item.told_in for item in self.noticed if item.caption is not None and is_empty(item.caption))

    @property
    def marked_captions(self) -> tuple[Path, ...]:
        """Files of captions that begin with a byte order mark."""
        told = ((item.told_in, item.caption) for item in self.noticed if item.caption is not None)
        return tuple(path for path, text in told if is_marked(text) and not is_empty(text))


@dataclass(frozen=True)
class Scan:
    """All datasets, in the order of the TOML."""

    datasets: tuple[DatasetScan, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for dataset in self.datasets for item in dataset.items)
