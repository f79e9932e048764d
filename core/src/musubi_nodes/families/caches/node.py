"""The bases of a family's latent cache and text encoder cache nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, create_model

from musubi_nodes.commands.option import Option
from musubi_nodes.datasets.caches import (
    broken_caches,
    expected_text_caches,
    latent_cache_files,
    latent_caches,
    missing_latents,
    missing_texts,
    text_cache_files,
)
from musubi_nodes.datasets.fingerprint import fingerprint
from musubi_nodes.datasets.items import Scan
from musubi_nodes.datasets.report import named, raise_errors
from musubi_nodes.datasets.scan import scan
from musubi_nodes.datasets.schema import effective
from musubi_nodes.datasets.toml import dump, with_cache_directories
from musubi_nodes.datasets.totals import cache_totals
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches.locks import alone_on_caches
from musubi_nodes.families.caches.state import Kind, cache_state
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.judging import judge
from musubi_nodes.families.models.files import stamp
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.records import Records
from musubi_nodes.families.script import ScriptInputs, ScriptNode
from musubi_nodes.families.sockets import Cache, Dataset, Run
from musubi_nodes.files import is_inside
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Outcome

ADVANCED = Widget(advanced=True)


class CacheInputs(ScriptInputs):
    """What both kinds of cache take."""

    dataset: Dataset = Field(description="The dataset to cache.")
    batch_size: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=1024, description="Lowers the dataset's batch_size for caching. 0: as in the dataset."
    )
    num_workers: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=64, description="Threads that read the media. 0: one less than there are cores."
    )


@dataclass(frozen=True)
class _Job:
    """One caching: what the user gave, and what was found out about it."""

    inputs: Any
    context: Context
    install: Install
    dataset: Dataset
    records: Records


class CacheNode(ScriptNode):
    """Encodes a dataset. Declare ``cache``, the family's own socket."""

    category: ClassVar[str] = "MusubiTuner/Cache"
    Inputs: ClassVar[type[BaseModel]] = CacheInputs
    cache: ClassVar[type[Cache]]
    kind: ClassVar[Kind]
    bar_stage: ClassVar[str] = "encoding"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "cache" in cls.__dict__:
            fields: dict[str, Any] = {
                f"{cls.kind}_cache": (cls.cache, Field(description="The finished cache, for the trainer.")),
                "run": (Run, Field(description="The run folder: log, command, status.")),
            }
            cls.Outputs = create_model("Outputs", __base__=NodeOutputs, **fields)

    def cache_flags(self, inputs: Any) -> frozenset[str]:
        """What the cache is made for beyond plain text to video, such as i2v."""
        return frozenset()

    def run(self, inputs: Any, context: Context) -> BaseModel:
        raise_errors(inputs.dataset.errors)
        install = self.prepare(inputs, context)
        dataset = cached_dataset(inputs.dataset, context.host.output_folder, self.family.key)
        check_batch_size(inputs.batch_size, dataset)
        job = _Job(inputs, context, install, dataset, Records(context.host.output_folder, "cached"))
        if before := self._before(job, dataset.fingerprint):
            return before
        with alone_on_caches(dataset, context, self.title):
            found = checked_scan(dataset, self.family)
            now = fingerprint(dataset.config, found)
            return self._before(job, now) or self._make(job, found, now)  # another program may have made them

    def _before(self, job: _Job, of: str) -> BaseModel | None:
        """What was cached already; ``of`` is the dataset's fingerprint."""
        key, state = self._key(job, of), self._state(job)
        if not job.records.holds(key, state):
            return None
        job.context.show(text=f"{job.dataset.name} was cached before")
        return self._outputs(job, job.records.run_of(key), state)

    def _make(self, job: _Job, found: Scan, of: str) -> BaseModel:
        architecture, context = self.family.architecture, job.context
        totals = cache_totals(found, job.dataset.config, self.kind, fps=self.family.fps)
        with self.new_folder(context) as folder:
            owned = {"dataset_config": str(dump(job.dataset.config, folder.path / "dataset.toml")), "keep_cache": True}
            there = cache_stamps(job.dataset, architecture, self.kind)

            def accept(outcome: Outcome) -> None:
                verify(found, architecture, self.kind, folder)

            outcome = self.execute(job.inputs, context, job.install, folder, owned, totals, accept)
            remove_stale(job.dataset, architecture, self.kind, there, context.host.output_folder)
        state = self._state(job)
        job.records.keep(self._key(job, of), (), folder.path, state)
        context.show(text=f"{_count(found)} items cached in {outcome.seconds:.0f} s")
        return self._outputs(job, folder.path, state)

    def _key(self, job: _Job, of: str) -> str:
        return self.key(job.inputs, job.install, {"dataset_config": "/"}, of)

    def _state(self, job: _Job) -> str:
        return cache_state(job.dataset, self.family.architecture, self.kind)

    def _outputs(self, job: _Job, run: Path, state: str) -> BaseModel:
        job.context.made_state(partial(self._state, job), state)
        cache = self.cache(dataset=job.dataset, flags=self.cache_flags(job.inputs), state=state)
        return self.Outputs(**{f"{self.kind}_cache": cache, "run": Run(folder=run)})


def checked_scan(dataset: Dataset, family: Family) -> Scan:
    """The dataset's items now, checked with what the family takes; raises where caching would fail or lose items."""
    found = scan(dataset.config)
    judge(found, dataset.config, dataset.missing_captions, family).raise_errors()
    return found


def check_batch_size(wanted: int | None, dataset: Dataset) -> None:
    """A cache script can only split the dataset's batches; a larger number does nothing (v0.3.4)."""
    largest = max(part.batch_size for part in effective(dataset.config))
    if wanted and wanted > largest:
        raise MusubiError(
            f"batch_size {wanted} of the cache node is more than the dataset's own ({largest}): it would do nothing",
            fix="Set it to 0, or raise batch_size in the dataset TOML.",
        )


def cached_dataset(dataset: Dataset, output: Path, family: str) -> Dataset:
    """The dataset with a cache folder for each of its parts: those of the TOML, else below the output folder."""
    base = output / "musubi" / "cache" / dataset.name / family
    return dataset.model_copy(update={"config": with_cache_directories(dataset.config, base)})


def cache_stamps(dataset: Dataset, architecture: str, kind: Kind) -> dict[Path, str]:
    """The cache files that are there for a dataset, each with its size and time."""
    look = latent_cache_files if kind == "latent" else text_cache_files
    return {file: stamp(file) for part in effective(dataset.config) for file in look(part, architecture)}


def remove_stale(dataset: Dataset, architecture: str, kind: Kind, before: Mapping[Path, str], output: Path) -> None:
    """Cache files that this run did not write belong to items that are gone: a training would use them.

    Every run writes all its items anew, so what is as it was ``before`` is stale. Times are compared with each other,
    not with the clock, which may be set back. In a folder of the user's own they are named instead of removed.
    """
    now = cache_stamps(dataset, architecture, kind)
    stale = [file for file, known in now.items() if before.get(file) == known]
    ours = [file for file in stale if is_inside(file, [output / "musubi" / "cache"])]
    for file in ours:
        file.unlink(missing_ok=True)
    if others := sorted(set(stale) - set(ours)):
        raise MusubiError(
            f"{len(others)} {kind} cache files are of pictures or videos that are gone or changed: "
            f"{named(map(str, others), 3)}",
            why="musubi-tuner trains on every cache file that it finds in the folder.",
            fix="Delete them, or give each dataset a cache_directory of its own.",
        )


def verify(found: Scan, architecture: str, kind: Kind, folder: RunFolder | None = None) -> None:
    """Each item has a cache file that can be read; a truncated one would make a training hang for ever (v0.3.4)."""
    log = folder.log if folder else None
    missing = missing_latents(found, architecture) if kind == "latent" else missing_texts(found, architecture)
    if missing:
        raise MusubiError(
            f"{len(missing)} of {_count(found)} items have no {kind} cache: {named(map(str, missing), 3)}",
            why="musubi-tuner skips such items without a word." if folder else "",
            fix="Look at these files, then queue the cache node again.",
            log=log,
        )
    if broken := broken_caches(_files(found, architecture, kind)):
        raise MusubiError(
            f"{len(broken)} {kind} cache files are damaged: {named(map(str, broken), 3)}",
            why="They are only partly written; a training would hang on them.",
            fix="Delete them and queue the cache node again.",
            log=log,
        )


def _files(found: Scan, architecture: str, kind: Kind) -> list[Path]:
    if kind == "text":
        return [cache for _, cache in expected_text_caches(found, architecture)]
    return [path for _, paths in latent_caches(found, architecture) for path in paths]


def _count(found: Scan) -> int:
    return sum(len(part.items) for part in found.datasets)


class LatentCacheInputs(CacheInputs):
    """What a latent cache takes besides."""

    disable_cudnn_backend: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Do without cuDNN; may help AMD cards."
    )


class LatentCache(CacheNode):
    """Base of latent caches."""

    Inputs: ClassVar[type[BaseModel]] = LatentCacheInputs
    kind: ClassVar[Kind] = "latent"
    search: ClassVar[tuple[str, ...]] = (
        "vae encode",
        "encode images",
        "preprocess",
        "cache latents",
        "前処理",
        "キャッシュ",
    )


class TextEncoderCache(CacheNode):
    """Base of text encoder caches."""

    kind: ClassVar[Kind] = "text"
    search: ClassVar[tuple[str, ...]] = (
        "encode captions",
        "clip",
        "t5",
        "preprocess",
        "embeddings",
        "前処理",
        "キャッシュ",
    )
