"""Dataset items as cards of the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musubi_nodes.datasets.config.buckets import bucket_of
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, ImageDataset, effective
from musubi_nodes.datasets.files.captions import is_empty
from musubi_nodes.datasets.files.facts import image_facts, video_facts
from musubi_nodes.datasets.files.listing import File, file_at, images_in
from musubi_nodes.datasets.scan.items import DatasetScan, Scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.media.pictures import first_middle_last, image_picture, video_pictures
from musubi_nodes.media.sheet import Cell, Marks
from musubi_nodes.nodes.datasets.cached import KINDS, Cached


@dataclass(frozen=True)
class Entry:
    """One image or video; ``caption`` is ``None`` if missing or not UTF-8.

    ``trains`` is false without a caption file or line: such items are never cached.
    """

    file: File
    part: DatasetScan
    dataset: DatasetSection
    caption: str | None
    warning: str
    trains: bool = True


def entries(found: Scan, config: DatasetConfig) -> list[Entry]:
    """Return all items and all media without caption, by dataset and name."""
    datasets = effective(config)
    made: list[Entry] = []
    for part in found.datasets:
        dataset = datasets[part.index]
        twins = _same_names(part)
        own = [
            Entry(item.file, part, dataset, item.caption, (twins and twins.get(item.path)) or _warning(item.caption))
            for item in part.items
        ]
        bare = (file_at(str(path)) for path in part.without_caption)
        own += [Entry(file, part, dataset, None, "no caption", trains=False) for file in bare if file]
        made += sorted(own, key=lambda entry: entry.file.path)
    return made


def line(number: int, entry: Entry) -> str:
    return f"{number}. {entry.file.name}: {entry.caption or f'({entry.warning})'}"


@dataclass(frozen=True)
class Card:
    """A drawn entry; ``trouble`` explains a missing picture."""

    cell: Cell
    trouble: str = ""


def card_of(entry: Entry, side: int, caches: Sequence[Cached] = ()) -> Card:
    """Draw an entry, without picture if it can't be decoded."""
    path, marks = Path(entry.file.path), _marks(entry, caches)
    try:
        pictures = [image_picture(path, side)] if entry.dataset.kind == "image" else _frames(path, side)
        return Card(Cell(pictures, path.name, _facts(entry), entry.caption or "", entry.warning, marks))
    except MusubiError as error:
        trouble = f"{entry.part.name}: {path.name} cannot be decoded" + (f" ({error.why})" if error.why else "")
        return Card(Cell((), path.name, (), entry.caption or "", "cannot be read", marks), trouble)


def _marks(entry: Entry, caches: Sequence[Cached]) -> list[Marks]:
    if not entry.trains:
        return []
    return [
        Marks(
            family.title, [(f"{kind}s", family.known[entry.part.index, kind].holds(entry.file.path)) for kind in KINDS]
        )
        for family in caches
    ]


def _same_names(part: DatasetScan) -> dict[Path, str]:
    groups = [[path.name for path in group] for group in part.duplicate_stems]
    return {
        path: f"same name: {', '.join(name for name in names if name != path.name)}"
        for names, group in zip(groups, part.duplicate_stems, strict=True)
        for path in group
    }


def _warning(caption: str | None) -> str:
    if caption is None:
        return "caption is not UTF-8"
    return "empty caption" if is_empty(caption) else ""


def _frames(path: Path, side: int) -> list[Any]:
    if not path.is_dir():
        return video_pictures(path, side)
    images = images_in(path)
    return [image_picture(Path(images[number].path), side) for number in first_middle_last(len(images))]


def _facts(entry: Entry) -> list[str]:
    dataset = entry.dataset
    if isinstance(dataset, ImageDataset):
        return [_sizes(image_facts(entry.file).size, dataset, dataset.enable_bucket)]
    (video,) = video_facts([entry.file]).values()
    if isinstance(video, MusubiError):
        raise video
    rate = f" at {video.fps:g} fps" if video.fps else ""
    return [_sizes((video.width, video.height), dataset, True), f"{video.frames} frames{rate}"]


def _sizes(size: tuple[int, int], dataset: DatasetSection, buckets: bool) -> str:
    keep = isinstance(dataset, ImageDataset) and dataset.bucket_no_upscale
    width, height = bucket_of(size, dataset.resolution, enable=buckets, no_upscale=keep)
    return f"{size[0]}x{size[1]} to {width}x{height}"
