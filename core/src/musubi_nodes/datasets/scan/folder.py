"""Scans one dataset folder as musubi-tuner does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path

from musubi_nodes.datasets.config.schema import DatasetSection, ImageDataset, Kind
from musubi_nodes.datasets.files.captions import read_captions
from musubi_nodes.datasets.files.facts import facts_of_images
from musubi_nodes.datasets.files.listing import File, Names, files_in
from musubi_nodes.datasets.files.names import MEDIA_EXTENSIONS, has_ending, split, stem_of
from musubi_nodes.datasets.scan.controls import Controls, image_controls, numbered, video_controls
from musubi_nodes.datasets.scan.items import DatasetScan, Item
from musubi_nodes.errors import Problem

MISSING_FOLDER = Problem("folder-missing", "does not exist")
NOT_A_FOLDER = Problem("path-not-a-folder", "is not a folder")
_SILENT = frozenset((".safetensors", ".json", ".jsonl", ".toml", ".db", ".ini"))  # caches, metadata, thumbnails


@dataclass
class _Sorted:
    """A folder's files by kind."""

    kind: Kind
    caption: str
    captions: dict[str, File] = field(default_factory=dict)
    media: list[tuple[str, File]] = field(default_factory=list)
    others: list[File] = field(default_factory=list)
    folders: list[File] = field(default_factory=list)

    @cached_property
    def pairs(self) -> list[tuple[File, File | None]]:
        """Media with their captions.

        musubi-tuner compares an image's exact stem (``glob_images``, v0.3.4), but opens a
        video's caption, so the file system decides about case.
        """
        caption = self.captions.get
        found = [(file, caption(stem)) for stem, file in self.media]
        if self.kind == "image" or all(caption for _, caption in found):
            return found
        names = Names((*self.captions.values(), *self.others))
        return [(file, caption or names.find(f"{stem_of(file.path)}{self.caption}")) for file, caption in found]

    @cached_property
    def captioned(self) -> list[File]:
        return [file for file, caption in self.pairs if caption is not None]

    @cached_property
    def stems(self) -> set[str]:
        return {stem for stem, _ in self.media}

    @property
    def unique(self) -> bool:
        """Whether certainly no two media share a stem."""
        return len(self.stems) == len(self.media) and os.name != "nt"


def scan_folder(empty: DatasetScan, dataset: DatasetSection) -> DatasetScan:
    try:
        files = _sorted(files_in(empty.source), dataset)
    except (OSError, ValueError) as error:
        return replace(empty, trouble=_trouble(error))
    captioned = files.captioned
    bare = [file for file, caption in files.pairs if caption is None]
    targets = _targets(dataset, captioned, bare)
    controls = _controls(dataset, captioned)
    items = _items(files, targets, controls)
    claimed = {file for found in targets.of.values() for file in found}
    wanted = dataset.control_directory is not None
    return replace(
        empty,
        items=items,
        duplicate_stems=() if files.unique else duplicates(items),
        without_caption=_paths(file for file in bare if file not in claimed),
        captions_alone=_captions_alone(files),
        ignored=_paths(file for file in files.others if not has_ending(file.name.lower(), _SILENT)),
        subfolders=_paths(found for found in files.folders if _holds(found, dataset.kind)),
        missing_controls=_paths(file for file in captioned if wanted and file.path not in controls.of),
        bad_companions=(*targets.bad, *_uneven(targets), *controls.bad),
    )


def _sorted(listed: Iterable[tuple[str, File]], dataset: DatasetSection) -> _Sorted:
    caption = dataset.caption_extension or ""
    found, media = _Sorted(dataset.kind, caption), MEDIA_EXTENSIONS[dataset.kind]
    if caption and os.name == "nt":
        caption = caption.lower()
    for name, file in listed:
        if file.is_folder:
            found.folders.append(file)
            continue
        stem, ending = split(name)
        if ending in media:
            found.media.append((stem, file))
        elif ending != caption:
            found.others.append(file)
        if ending == caption:
            found.captions[stem] = file
    return found


def _items(files: _Sorted, targets: Controls, controls: Controls) -> tuple[Item, ...]:
    media = files.captioned
    captions = [caption for _, caption in files.pairs if caption is not None]
    facts = facts_of_images(media) if files.kind == "image" else repeat(None)
    nothing, none = repeat(()), repeat(None)
    rows = zip(media, captions, read_captions(captions), nothing, nothing, none, facts, strict=False)
    items = list(map(partial(tuple.__new__, Item), rows))  # half the time of Item._make
    if targets.of or controls.of:
        items = [_with_companions(item, targets, controls) for item in items]
    return tuple(items)


def _with_companions(item: Item, targets: Controls, controls: Controls) -> Item:
    path = item.file.path
    return item._replace(control_files=controls.of.get(path, ()), target_files=targets.of.get(path, ()))


def _trouble(error: Exception) -> Problem:
    if isinstance(error, FileNotFoundError):
        return MISSING_FOLDER
    if isinstance(error, NotADirectoryError):
        return NOT_A_FOLDER
    return Problem("folder-unreadable", f"cannot be read: {error}")


def _captions_alone(files: _Sorted) -> tuple[Path, ...]:
    if files.unique and len(files.captioned) == len(files.captions):
        return ()
    stems, paired = files.stems, {caption for _, caption in files.pairs}
    return _paths(file for stem, file in files.captions.items() if stem not in stems and file not in paired)


def _targets(dataset: DatasetSection, captioned: Sequence[File], bare: Sequence[File]) -> Controls:
    layered = isinstance(dataset, ImageDataset) and dataset.multiple_target
    return numbered(captioned, bare, "_") if layered else Controls()


def _uneven(targets: Controls) -> list[Problem]:
    counts = {len(files) for files in targets.of.values()}
    text = "multiple_target: all items need the same number of target images"
    return [Problem("targets-uneven", text)] if len(counts) > 1 else []


def _controls(dataset: DatasetSection, captioned: Sequence[File]) -> Controls:
    if dataset.control_directory is None:
        return Controls()
    match = image_controls if dataset.kind == "image" else video_controls
    return match(captioned, dataset.control_directory)


def _holds(folder: File, kind: Kind) -> bool:
    try:
        with os.scandir(folder.path) as entries:
            return any(has_ending(entry.name, MEDIA_EXTENSIONS[kind]) for entry in entries)
    except OSError:
        return False


def duplicates(items: Sequence[Item]) -> tuple[tuple[Path, ...], ...]:
    """Group media that would share cache files."""
    groups: dict[str, list[Path]] = {}
    for item in items:
        groups.setdefault(os.path.normcase(item.stem), []).append(item.path)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _paths(files: Iterable[File]) -> tuple[Path, ...]:
    return tuple(Path(file.path) for file in sorted(files))
