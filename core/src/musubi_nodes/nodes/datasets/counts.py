"""Dataset statistics as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from musubi_nodes.datasets.config.schema import DatasetConfig, effective
from musubi_nodes.datasets.files.duplicates import same_content
from musubi_nodes.datasets.files.listing import File
from musubi_nodes.datasets.scan.items import DatasetScan, Scan
from musubi_nodes.datasets.scan.report import named
from musubi_nodes.datasets.scan.totals import Keys, batch_keys
from musubi_nodes.nodes.datasets.cached import KINDS, Cached, CacheFacts

_SHOWN = 12


def counts(found: Scan, config: DatasetConfig, caches: Sequence[Cached], fps: float | None) -> list[str]:
    """Count items, captions, buckets, duplicates and caches."""
    datasets = effective(config)
    groups = same_content({item.file.path: item.file for part in found.datasets for item in part.items}.values())
    lines: list[str] = []
    for part in found.datasets:
        lines.append(f"{part.name} {part.source}: {_many(len(part.items), part.kind)}")
        keys = batch_keys(part, datasets[part.index], fps=fps)
        lines += [f"- {line}" for line in (_captions(part), *_buckets(part, keys), *_twins(part, groups))]
        lines += [f"- {line}" for line in _cached(part, caches)]
    return [*lines, *_twins_across(found, groups)]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _captions(part: DatasetScan) -> str:
    empty, broken, missing = len(part.empty_captions), len(part.not_utf8), len(part.without_caption)
    filled = len(part.items) - empty - broken
    return f"captions: {filled} filled, {empty} empty, {missing} missing" + (f", {broken} not UTF-8" if broken else "")


def _buckets(part: DatasetScan, keys: Keys | None) -> Iterator[str]:
    if keys is None:
        yield "buckets: not known while a file cannot be read, or until a family is chosen (source_fps)"
        return
    frames = part.kind == "video"
    names: Counter[str] = Counter()
    for (width, height, number), count in keys.items():
        names[f"{width}x{height}" + (f"x{number}" if frames else "")] += count
    listed = named((f"{name}: {count}" for name, count in names.most_common()), _SHOWN)
    yield f"{'clips (width x height x frames)' if frames else 'buckets'}: {listed or 'none'}"


def _twins(part: DatasetScan, groups: Iterable[Sequence[File]]) -> Iterator[str]:
    own = {item.file for item in part.items} if groups else set()
    same = [[file.name for file in group if file in own] for group in groups]
    if twins := [" = ".join(names) for names in same if len(names) > 1]:
        yield f"same content: {named(twins)}"
    stems = [" = ".join(path.name for path in group) for group in part.duplicate_stems]
    if stems:
        yield f"same name but for the ending: {named(stems)}"


def _twins_across(found: Scan, groups: Iterable[Sequence[File]]) -> Iterator[str]:
    where = {item.file: part.name for part in reversed(found.datasets) for item in part.items} if groups else {}
    shared = [
        " = ".join(f"{where[file]} {file.name}" for file in group)
        for group in groups
        if len({where[file] for file in group}) > 1
    ]
    if shared:
        yield f"same content in several datasets: {named(shared)}"


def _cached(part: DatasetScan, caches: Iterable[Cached]) -> Iterator[str]:
    if not part.items:
        return
    total, nothing = len(part.items), True
    for family in caches:
        known = {kind: family.known[part.index, kind] for kind in KINDS}
        if not family.chosen and all(len(one.missing) == total for one in known.values()):
            continue
        nothing = False
        yield f"cached for {family.title}: {', '.join(_of(total, kind, one) for kind, one in known.items())}"
        for kind, one in known.items():
            if 0 < len(one.missing) < total:
                yield f"no {kind}s for {family.title}: {_names(one.missing)}"
            if one.stale:
                yield f"stale {kind}s for {family.title}, which the cache node makes anew: {_names(one.stale)}"
    if nothing:
        yield "cached: nothing yet"


def _of(total: int, kind: str, known: CacheFacts) -> str:
    stale = f" (stale: {len(known.stale)})" if known.stale else ""
    return f"{total - len(known.missing) - len(known.stale)} of {total} {kind}s{stale}"


def _names(paths: Iterable[str]) -> str:
    return named(map(Path, sorted(paths)), _SHOWN)
