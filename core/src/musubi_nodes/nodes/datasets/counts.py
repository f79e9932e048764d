"""What is in a dataset, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from musubi_nodes.datasets.caches import missing_latents, missing_texts
from musubi_nodes.datasets.duplicates import same_content
from musubi_nodes.datasets.items import DatasetScan, Scan
from musubi_nodes.datasets.report import named
from musubi_nodes.datasets.schema import cache_folder_of, effective
from musubi_nodes.datasets.totals import batch_keys
from musubi_nodes.families.caches.node import cached_dataset
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.sockets import Dataset

_SHOWN = 12


def counts(found: Scan, dataset: Dataset, context: Context, fps: float | None) -> list[str]:
    """Lines for each dataset: items, captions, buckets, duplicates, caches."""
    datasets = effective(dataset.config)
    lines: list[str] = []
    for part in found.datasets:
        lines.append(f"{part.name} {part.source}: {_many(len(part.items), part.kind)}")
        keys = batch_keys(part, datasets[part.index], fps=fps)
        lines += [f"- {line}" for line in (_captions(part), *_buckets(part, keys), *_twins(part))]
        lines += [f"- {line}" for line in _cached(part, dataset, context)]
    return lines


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _captions(part: DatasetScan) -> str:
    empty, broken, missing = len(part.empty_captions), len(part.not_utf8), len(part.without_caption)
    filled = len(part.items) - empty - broken
    return f"captions: {filled} filled, {empty} empty, {missing} missing" + (f", {broken} not UTF-8" if broken else "")


def _buckets(part: DatasetScan, keys: list[tuple[object, ...]] | None) -> Iterator[str]:
    if keys is None:
        yield "buckets: not known while a file cannot be read, or until a family is chosen (source_fps)"
        return
    frames = part.kind == "video"
    names = Counter(f"{w}x{h}" + (f"x{n}" if frames else "") for w, h, n in keys)
    listed = named((f"{name}: {count}" for name, count in names.most_common()), _SHOWN)
    yield f"{'clips (width x height x frames)' if frames else 'buckets'}: {listed or 'none'}"


def _twins(part: DatasetScan) -> Iterator[str]:
    groups = [" = ".join(file.name for file in group) for group in same_content(item.file for item in part.items)]
    if groups:
        yield f"same content: {named(groups)}"
    stems = [" = ".join(path.name for path in group) for group in part.duplicate_stems]
    if stems:
        yield f"same name but for the ending: {named(stems)}"


def _cached(part: DatasetScan, dataset: Dataset, context: Context) -> Iterator[str]:
    if not part.items:
        return
    lines = [_of_family(part, dataset, family, context.host.output_folder) for family in context.services.families]
    yield from [line for line in lines if line] or ["cached: nothing yet"]


def _of_family(part: DatasetScan, dataset: Dataset, family: Family, output: Path) -> str:
    config = cached_dataset(dataset, output, family.key).config
    placed = Scan((replace(part, cache_folder=cache_folder_of(effective(config)[part.index])),))
    total = len(part.items)
    latents = total - len(missing_latents(placed, family.architecture))
    texts = total - len(missing_texts(placed, family.architecture))
    return (
        f"cached for {family.title}: {latents} of {total} latents, {texts} of {total} texts" if latents or texts else ""
    )
