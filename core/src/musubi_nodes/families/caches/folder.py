"""A folder of caches, of which only outdated ones are built again.

musubi-tuner's ``--skip_existing`` compares names only (v0.3.4), so outdated caches are removed first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from musubi_nodes.datasets.config.cache_folders import folder_key
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, effective
from musubi_nodes.datasets.scan.caches import ENDINGS, CacheKind, has_values, is_whole, names_in, stem_of_cache
from musubi_nodes.datasets.scan.fingerprint import source_hashes
from musubi_nodes.datasets.scan.items import DatasetScan, Scan
from musubi_nodes.families.caches.manifest import BuildParams, CachedItem, CacheManifest
from musubi_nodes.files import FileStamp
from musubi_nodes.runs.record.disk import disk_error
from musubi_nodes.sharing import remove

MOST_FOLDERS = 20


@dataclass
class CacheFolder:
    """One dataset's caches of one family and kind.

    ``expected``: source hash by stem. ``media``: folders of its items. ``managed``: only musubi-nodes writes here.
    """

    path: Path
    ending: str
    expected: Mapping[str, str]
    stem: Callable[[str], str]
    params: BuildParams
    manifest: CacheManifest
    kind: CacheKind
    media: tuple[str, ...] = ()
    managed: bool = False

    @property
    def run(self) -> str:
        return self.manifest.run

    @cached_property
    def _there(self) -> dict[str, dict[str, str]]:
        return self._by_stem()

    @cached_property
    def good(self) -> dict[str, CachedItem]:
        """Valid caches by stem."""
        return {
            stem: self._good(stem, source_hash, self._there.get(stem, {}))
            for stem, source_hash in self.expected.items()
        }

    @property
    def missing(self) -> int:
        return sum(not item.finished for item in self.good.values())

    @property
    def verified(self) -> Iterator[Path]:
        return (self.path / name for item in self.good.values() for name in item.files)

    @property
    def stale(self) -> frozenset[str]:
        return frozenset(stem for stem, item in self.good.items() if stem in self._there and not item.finished)

    @cached_property
    def unmanaged(self) -> bool:
        """Whether a user's folder has caches but no manifest.

        They stay until the script has replaced them.
        """
        return not self.managed and not self.manifest.items and not self.expected.keys().isdisjoint(self._there)

    def other_media(self) -> list[str]:
        """Return media folders of another dataset with the same names."""
        shared = self.manifest.items.keys() & self.expected.keys()
        own = {folder_key(Path(folder)) for folder in self.media}
        if not shared or any(folder_key(Path(folder)) in own for folder in self.manifest.media):
            return []
        return [folder for folder in self.manifest.media if any(Path(name).stem in shared for name in names_in(folder))]

    def remove_links(self) -> None:
        """Remove links, which the script would write through."""
        with self._usable(), suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                name = _folded(entry.name)
                if name.endswith(self.ending) and entry.is_symlink() and (self.managed or self._is_written(name)):
                    remove(entry.path)

    def _is_written(self, name: str) -> bool:
        return self.stem(name) in self._folded_stems

    @cached_property
    def _folded_stems(self) -> frozenset[str]:
        return frozenset(map(_folded, self.expected))

    def orphans(self) -> list[Path]:
        """List caches without an item, which a training would read."""
        there = self._by_stem()
        return sorted(self.path / name for stem in there.keys() - self.expected.keys() for name in there[stem])

    def clear(self) -> None:
        """Remove outdated caches, and save the manifest for resuming."""
        stay = {name for item in self.good.values() for name in item.files}
        with self._usable():
            for name in (name for files in self._there.values() for name in files if name not in stay):
                remove(self.path / name)
        self._keep(self.good, self.run)

    def replace(self) -> list[Path]:
        """Remove unmanaged caches of items with a new one; return the others."""
        if not self.unmanaged:
            return []
        alone: list[Path] = []
        for stem, there in self._by_stem().items():
            old = [name for name, known in there.items() if self._there.get(stem, {}).get(name) == known]
            if len(old) == len(there):
                alone += (self.path / name for name in old)
                continue
            with self._usable():
                for name in old:
                    remove(self.path / name)
        return alone

    def finish(self, run: str) -> None:
        there = self._by_stem()
        self._keep(
            {stem: CachedItem(source_hash, there.get(stem, {}), True) for stem, source_hash in self.expected.items()},
            run,
        )

    def _good(self, stem: str, source_hash: str, there: Mapping[str, str]) -> CachedItem:
        known = self.manifest.items.get(stem)
        if known is None or known.source_hash != source_hash:
            return CachedItem(source_hash, {}, False)
        files = {name: now for name, now in there.items() if now and self._may_stay(name, now, known)}
        return CachedItem(source_hash, files, known.finished and bool(files) and files == known.files)

    def _may_stay(self, name: str, now: str, known: CachedItem) -> bool:
        if name in known.files:
            return known.files[name] == now
        path = self.path / name
        params = self.params
        return not known.finished and is_whole(path, params.last) and has_values(path, self.kind, params.may_be_zero)

    def _by_stem(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        with self._usable():
            listed = _listed(self.path, self.ending)
        for name, now in listed.items():
            found.setdefault(self.stem(name), {})[name] = now
        return found

    def _keep(self, items: Mapping[str, CachedItem], run: str) -> None:
        self.manifest = CacheManifest(dict(items), run, self.params, self.media)
        with self._usable():
            self.manifest.write(self.path, self.ending)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, self.path, "cache folder") from error


def cache_folders(
    found: Scan, config: DatasetConfig, given: DatasetConfig, architecture: str, kind: CacheKind, params: BuildParams
) -> list[CacheFolder]:
    """Return all folders; ``given`` has only those the user chose."""
    datasets = effective(config)
    made = []
    for part in found.datasets:
        if part.cache_folder is not None:
            folder = _folder(part, part.cache_folder, datasets[part.index], architecture, kind, params)
            made.append(replace(folder, managed=given.datasets[part.index].cache_directory is None))
    return made


def folder_by_manifest(
    part: DatasetScan, dataset: DatasetSection, architecture: str, kind: CacheKind
) -> CacheFolder | None:
    """Return a dataset's folder, compared with its own manifest.

    Changed items and datasets are outdated then, but not other models or options.
    """
    if part.cache_folder is None:
        return None
    manifest = CacheManifest.read(part.cache_folder, ENDINGS[kind].format(architecture))
    if manifest.params is None:
        return None
    return _folder(part, part.cache_folder, dataset, architecture, kind, manifest.params, manifest)


def _folder(
    part: DatasetScan,
    path: Path,
    dataset: DatasetSection,
    architecture: str,
    kind: CacheKind,
    params: BuildParams,
    manifest: CacheManifest | None = None,
) -> CacheFolder:
    ending = ENDINGS[kind].format(architecture)
    expected = source_hashes(part, dataset, params.sources, params.build_key)
    stem = partial(stem_of_cache, dataset=part, architecture=architecture, kind=kind)
    known = manifest or CacheManifest.read(path, ending)
    return CacheFolder(path, ending, expected, stem, params, known, kind, _media(part, dataset))


def _media(part: DatasetScan, dataset: DatasetSection) -> tuple[str, ...]:
    if dataset.directory is not None:
        return (os.path.abspath(dataset.directory),)
    folders = {os.path.dirname(item.file.path) for item in part.items}
    return tuple(sorted(map(os.path.abspath, folders))[:MOST_FOLDERS])


def _listed(folder: Path, ending: str) -> dict[str, str]:
    """Return stamps by name, "" for links; hidden files are skipped."""
    try:
        with os.scandir(folder) as entries:
            return {each.name: _stamp(each) for each in entries if each.name.endswith(ending) and each.name[0] != "."}
    except FileNotFoundError:
        return {}


def _folded(name: str) -> str:
    """Fold case on systems that ignore it."""
    return name.casefold() if sys.platform in ("win32", "darwin") else name


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        return "" if entry.is_symlink() else str(FileStamp.listed(entry))
    except OSError:
        return ""
