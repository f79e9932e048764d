"""The caches in one folder and what each was made from, so that exactly what has changed is made anew.

musubi-tuner's ``--skip_existing`` looks at names only (v0.3.4): another caption, picture, VAE or resolution, ``--i2v``,
``--f1``, and a truncated file are all kept as they were. So what is not as it should be goes before it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from musubi_nodes.datasets.cache_folders import folder_key
from musubi_nodes.datasets.caches import ENDINGS, CacheKind, has_values, is_whole, names_in, stem_of_cache
from musubi_nodes.datasets.fingerprint import source_hashes
from musubi_nodes.datasets.items import DatasetScan, Scan
from musubi_nodes.datasets.schema import Dataset, DatasetConfig, effective
from musubi_nodes.families.caches.manifest import BuildParams, CachedItem, CacheManifest
from musubi_nodes.files import FileStamp
from musubi_nodes.runs.record.disk import disk_error
from musubi_nodes.sharing import remove

MOST_FOLDERS = 20
"""Of a dataset's files, that are noted."""


@dataclass
class CacheFolder:
    """One dataset's caches of one family and kind. ``wanted`` is by stem what they are to be made from by ``params``,
    ``notes`` what is known of those that are there, ``media`` the folders of the dataset's files. ``managed``: the TOML
    names no folder, so that nobody else's caches lie in this one."""

    path: Path
    ending: str
    wanted: Mapping[str, str]
    stem: Callable[[str], str]
    params: BuildParams
    notes: CacheManifest
    kind: CacheKind
    media: tuple[str, ...] = ()
    managed: bool = False

    @property
    def run(self) -> str:
        """The name of the run that made them last."""
        return self.notes.run

    @cached_property
    def _there(self) -> dict[str, dict[str, str]]:
        return self._by_stem()

    @cached_property
    def good(self) -> dict[str, CachedItem]:
        """What may stay of each item that is wanted."""
        return {
            stem: self._good(stem, source_hash, self._there.get(stem, {})) for stem, source_hash in self.wanted.items()
        }

    @property
    def missing(self) -> int:
        """How many items are still to be made."""
        return sum(not made.finished for made in self.good.values())

    @property
    def verified(self) -> Iterator[Path]:
        """The files that may stay."""
        return (self.path / name for made in self.good.values() for name in made.files)

    @property
    def stale(self) -> frozenset[str]:
        """The stems of items that have caches, but are to be made anew."""
        return frozenset(stem for stem, made in self.good.items() if stem in self._there and not made.finished)

    @cached_property
    def unmanaged(self) -> bool:
        """Whether caches lay in a folder of the user's own that no note tells of: musubi-tuner was run without this
        pack. They stay until the script has written them anew, since it may be hours of work, and the script may not
        even start."""
        return not self.managed and not self.notes.items and not self.wanted.keys().isdisjoint(self._there)

    def other_media(self) -> list[str]:
        """Folders of another dataset whose caches lie here under the same names; none if it was moved or is gone."""
        shared = self.notes.items.keys() & self.wanted.keys()
        own = {folder_key(Path(folder)) for folder in self.media}
        if not shared or any(folder_key(Path(folder)) in own for folder in self.notes.media):
            return []
        return [folder for folder in self.notes.media if any(Path(name).stem in shared for name in names_in(folder))]

    def remove_links(self) -> None:
        """Before a script runs: it would write through them, into whatever they lead to. That stays as it is."""
        with self._usable(), suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                name = _folded(entry.name)
                if name.endswith(self.ending) and entry.is_symlink() and (self.managed or self._is_written(name)):
                    remove(entry.path)

    def _is_written(self, name: str) -> bool:
        return self.stem(name) in self._folded_stems

    @cached_property
    def _folded_stems(self) -> frozenset[str]:
        return frozenset(map(_folded, self.wanted))

    def orphans(self) -> list[Path]:
        """Caches of no item, as they lie there now; a training would read them all the same."""
        there = self._by_stem()
        return sorted(self.path / name for stem in there.keys() - self.wanted.keys() for name in there[stem])

    def clear(self) -> None:
        """Remove what may not stay, then note what is to be made: a run that breaks off goes on from there."""
        stay = {name for made in self.good.values() for name in made.files}
        with self._usable():
            for name in (name for files in self._there.values() for name in files if name not in stay):
                remove(self.path / name)
        self._keep(self.good, self.run)

    def replace(self) -> list[Path]:
        """After the script has written all caches anew: those made by hand go that lie beside a new one of their item,
        such as one of the picture's former size. Returns those of items of which nothing new was written; they stay."""
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
        """Note what ``run`` has made; all of it was looked at and is whole."""
        there = self._by_stem()
        self._keep(
            {stem: CachedItem(source_hash, there.get(stem, {}), True) for stem, source_hash in self.wanted.items()}, run
        )

    def _good(self, stem: str, source_hash: str, there: Mapping[str, str]) -> CachedItem:
        known = self.notes.items.get(stem)
        if known is None or known.source_hash != source_hash:
            return CachedItem(source_hash, {}, False)
        files = {name: now for name, now in there.items() if now and self._may_stay(name, now, known)}
        return CachedItem(source_hash, files, known.finished and bool(files) and files == known.files)

    def _may_stay(self, name: str, now: str, known: CachedItem) -> bool:
        if name in known.files:
            return known.files[name] == now
        path = self.path / name
        return not known.finished and is_whole(path, self.params.last) and has_values(path, self.kind)

    def _by_stem(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        with self._usable():
            listed = _listed(self.path, self.ending)
        for name, now in listed.items():
            found.setdefault(self.stem(name), {})[name] = now
        return found

    def _keep(self, items: Mapping[str, CachedItem], run: str) -> None:
        self.notes = CacheManifest(dict(items), run, self.params, self.media)
        with self._usable():
            self.notes.write(self.path, self.ending)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, self.path, "cache folder") from error


def cache_folders(
    found: Scan, config: DatasetConfig, given: DatasetConfig, architecture: str, kind: CacheKind, params: BuildParams
) -> list[CacheFolder]:
    """Those of all datasets, as they are now, judged by how they are to be made.

    ``config`` names a folder for each dataset, ``given`` those that the user chose.
    """
    datasets = effective(config)
    made = []
    for part in found.datasets:
        if part.cache_folder is not None:
            folder = _folder(part, part.cache_folder, datasets[part.index], architecture, kind, params)
            made.append(replace(folder, managed=given.datasets[part.index].cache_directory is None))
    return made


def folder_as_noted(part: DatasetScan, dataset: Dataset, architecture: str, kind: CacheKind) -> CacheFolder | None:
    """The same of one dataset, judged by how its own notes say that it was made; None without any. So a changed item or
    dataset shows, and another model or option of the cache node does not."""
    if part.cache_folder is None:
        return None
    notes = CacheManifest.read(part.cache_folder, ENDINGS[kind].format(architecture))
    if notes.params is None:
        return None
    return _folder(part, part.cache_folder, dataset, architecture, kind, notes.params, notes)


def _folder(
    part: DatasetScan,
    path: Path,
    dataset: Dataset,
    architecture: str,
    kind: CacheKind,
    params: BuildParams,
    notes: CacheManifest | None = None,
) -> CacheFolder:
    ending = ENDINGS[kind].format(architecture)
    wanted = source_hashes(part, dataset, params.sources, params.made)
    stem = partial(stem_of_cache, dataset=part, architecture=architecture, kind=kind)
    known = notes or CacheManifest.read(path, ending)
    return CacheFolder(path, ending, wanted, stem, params, known, kind, _media(part, dataset))


def _media(part: DatasetScan, dataset: Dataset) -> tuple[str, ...]:
    """The folder of a dataset's files; of a JSONL some of those that its lines name."""
    if dataset.directory is not None:
        return (os.path.abspath(dataset.directory),)
    folders = {os.path.dirname(item.file.path) for item in part.items}
    return tuple(sorted(map(os.path.abspath, folders))[:MOST_FOLDERS])


def _listed(folder: Path, ending: str) -> dict[str, str]:
    """The stamp of each cache by its name; "" of a link. Hidden files are unseen by upstream, too."""
    try:
        with os.scandir(folder) as entries:
            return {each.name: _stamp(each) for each in entries if each.name.endswith(ending) and each.name[0] != "."}
    except FileNotFoundError:
        return {}


def _folded(name: str) -> str:
    """As systems read it that take capitals for small letters."""
    return name.casefold() if sys.platform in ("win32", "darwin") else name


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        return "" if entry.is_symlink() else str(FileStamp.listed(entry))
    except OSError:
        return ""
