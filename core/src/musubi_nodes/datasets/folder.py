"""One dataset folder, looked at as musubi-tuner does: no subfolders, captions beside the media."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from musubi_nodes.datasets.captions import is_empty, is_marked, read_caption
from musubi_nodes.datasets.controls import Controls, image_controls, numbered, video_controls
from musubi_nodes.datasets.items import DatasetScan, Item
from musubi_nodes.datasets.names import has_ending, is_caption, is_image, is_video, stem_of
from musubi_nodes.datasets.schema import Dataset, ImageDataset

_SILENT = frozenset((".safetensors", ".json", ".jsonl", ".toml", ".db", ".ini"))  # caches, metadata, thumbnails


@dataclass(frozen=True)
class _Listing:
    files: tuple[str, ...]
    folders: tuple[str, ...]


def scan_folder(empty: DatasetScan, dataset: Dataset, *, read_captions: bool) -> DatasetScan:
    """``empty`` filled with what lies in the dataset's folder."""
    folder = empty.source
    try:
        listing = _listing(folder)
    except (OSError, ValueError) as error:
        return replace(empty, trouble=_trouble(folder, error))
    is_media: Callable[[str], bool] = is_image if dataset.kind == "image" else is_video
    media = [folder / name for name in listing.files if is_media(name)]
    captions = _captions(folder, listing, dataset)
    captioned = [path for path in media if stem_of(path) in captions]
    bare = [path for path in media if stem_of(path) not in captions]
    targets = _targets(dataset, captioned, bare)
    controls = _controls(dataset, captioned)
    claimed = {path for paths in targets.of.values() for path in paths}
    items = tuple(_item(path, captions, targets, controls, read_captions) for path in captioned)
    wanted = dataset.control_directory is not None
    return replace(
        with_caption_findings(replace(empty, items=items), read=read_captions),
        without_caption=tuple(path for path in bare if path not in claimed),
        captions_alone=_captions_alone(captions, media),
        ignored=_ignored(folder, listing, dataset, is_media),
        subfolders=tuple(folder / name for name in listing.folders if _holds(folder / name, is_media)),
        missing_controls=tuple(path for path in captioned if wanted and path not in controls.of),
        bad_companions=(*targets.bad, *_uneven(targets), *controls.bad),
    )


def with_caption_findings(scan: DatasetScan, *, read: bool) -> DatasetScan:
    """``scan`` with what is wrong with the captions of its items, and the items that share a stem."""
    known = [(item.caption_path or item.path, item.caption) for item in scan.items]
    texts = [(path, text) for path, text in known if text is not None]
    return replace(
        scan,
        not_utf8=tuple(path for path, text in known if text is None) if read else (),
        empty_captions=tuple(path for path, text in texts if is_empty(text)),
        marked_captions=tuple(path for path, text in texts if is_marked(text) and not is_empty(text)),
        duplicate_stems=_duplicates([item.path for item in scan.items]),
    )


def _listing(folder: Path) -> _Listing:
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    return _Listing(tuple(n for n, is_dir in found if not is_dir), tuple(n for n, is_dir in found if is_dir))


def _trouble(folder: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    return "is not a folder" if isinstance(error, NotADirectoryError) else f"cannot be read: {error}"


def _captions(folder: Path, listing: _Listing, dataset: Dataset) -> dict[str, Path]:
    ending = dataset.caption_extension
    return {stem_of(name): folder / name for name in listing.files if ending and is_caption(name, ending)}


def _captions_alone(captions: dict[str, Path], media: Sequence[Path]) -> tuple[Path, ...]:
    stems = {stem_of(path) for path in media}
    return tuple(path for stem, path in captions.items() if stem not in stems)


def _item(path: Path, captions: dict[str, Path], targets: Controls, controls: Controls, read: bool) -> Item:
    caption = captions[stem_of(path)]
    text = read_caption(caption) if read else None
    return Item(path, caption, text, controls.of.get(path, ()), targets.of.get(path, ()))


def _targets(dataset: Dataset, captioned: Sequence[Path], bare: Sequence[Path]) -> Controls:
    layered = isinstance(dataset, ImageDataset) and dataset.multiple_target
    return numbered(captioned, bare, "_") if layered else Controls()


def _uneven(targets: Controls) -> list[str]:
    counts = {len(paths) for paths in targets.of.values()}
    return ["multiple_target: all items need the same number of target images"] if len(counts) > 1 else []


def _controls(dataset: Dataset, captioned: Sequence[Path]) -> Controls:
    if dataset.control_directory is None:
        return Controls()
    match = image_controls if dataset.kind == "image" else video_controls
    return match(captioned, dataset.control_directory)


def _ignored(folder: Path, listing: _Listing, dataset: Dataset, is_media: Callable[[str], bool]) -> tuple[Path, ...]:
    ending = dataset.caption_extension or ""
    return tuple(
        folder / name
        for name in listing.files
        if not is_media(name) and not (ending and is_caption(name, ending)) and not has_ending(name.lower(), _SILENT)
    )


def _holds(folder: Path, is_media: Callable[[str], bool]) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_media(entry.name) for entry in entries)
    except OSError:
        return False


def _duplicates(paths: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(os.path.normcase(stem_of(path)), []).append(path)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
