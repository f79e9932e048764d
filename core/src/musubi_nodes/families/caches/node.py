"""Bases of cache nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic

from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeVar

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.datasets.config.toml import with_cache_directories
from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.datasets.scan.caches import CacheKind
from musubi_nodes.datasets.scan.fingerprint import Source, fingerprint
from musubi_nodes.datasets.scan.items import Scan
from musubi_nodes.datasets.scan.report import raise_errors
from musubi_nodes.datasets.scan.totals import cache_totals
from musubi_nodes.errors import Crashed
from musubi_nodes.families.caches.checks import (
    check_batch_size,
    check_orphans,
    check_owner,
    check_replaced,
    checked_scan,
    verify,
)
from musubi_nodes.families.caches.damaged import with_damaged_file
from musubi_nodes.families.caches.folder import CacheFolder, cache_folders
from musubi_nodes.families.caches.locks import exclusive_cache_lock
from musubi_nodes.families.caches.manifest import BuildParams
from musubi_nodes.families.caches.state import cache_state
from musubi_nodes.families.context import Context
from musubi_nodes.families.execution import execute
from musubi_nodes.families.family import Family
from musubi_nodes.families.family_node import FamilyNode
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.judging import warnings_for
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.sockets import Cache, Dataset, Run, cache_socket
from musubi_nodes.i18n import translate
from musubi_nodes.runs.record.folder import runs_of
from musubi_nodes.runs.run import Outcome

ADVANCED = Widget(advanced=True)


class CacheInputs(ScriptInputs):
    dataset: Dataset = Field(description="The dataset to cache.")
    batch_size: Annotated[int | None, Option(), ADVANCED, SameResult()] = Field(
        None, ge=1, le=1024, description="Lowers the dataset's batch_size for caching. 0: as in the dataset."
    )
    num_workers: Annotated[int | None, Option(), ADVANCED, SameResult()] = Field(
        None, ge=1, le=64, description="Threads that read the media. 0: one less than there are cores."
    )


CacheT = TypeVar("CacheT", bound=CacheInputs, default=Any)


@dataclass(frozen=True)
class _Job(Generic[CacheT]):
    inputs: CacheT
    context: Context
    plan: Plan
    build_key: str
    dataset: Dataset
    store: ResultStore
    family: Family


class CacheNode(FamilyNode[CacheT]):
    """Base of cache nodes."""

    category: ClassVar[str] = "MusubiTuner/Cache"
    Inputs: ClassVar[type[BaseModel]] = CacheInputs
    cache: ClassVar[type[Cache]]
    kind: ClassVar[CacheKind]
    bar_stage: ClassVar[str] = "encoding"
    written_last: ClassVar[str] = ""
    """Tensor prefix of the last pass, for scripts with several passes."""
    may_be_zero: ClassVar[str] = ""
    """Part of the names of tensors that are zero for some items."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("family"), Family):
            cls.cache = cache_socket(cls.family.key, cls.kind)
            fields: dict[str, Any] = {
                f"{cls.kind}_cache": (cls.cache, Field(description="The finished cache, for the trainer.")),
                "run": (Run, Field(description="The run folder: log, command, status.")),
            }
            cls.Outputs = create_model("Outputs", __base__=NodeOutputs, **fields)

    def made_from(self, family: Family) -> frozenset[Source]:
        """Return what an item's caches depend on."""
        return frozenset({"media"})

    def cache_flags(self, inputs: CacheT) -> frozenset[str]:
        """Return special modes of the cache, such as i2v."""
        return frozenset()

    def run(self, inputs: CacheT, context: Context) -> BaseModel:
        raise_errors(inputs.dataset.errors)
        self.prepare(inputs, context)
        dataset = cached_dataset(inputs.dataset, context.host.output_folder, self.family.key)
        check_batch_size(inputs.batch_size, dataset)
        store, family = ResultStore(context.host.output_folder, "cached"), self.family_of(inputs)
        plan = self.plan(inputs, context)
        job = _Job(inputs, context, plan, plan.key(), dataset, store, family)
        if before := self._before(job, dataset.fingerprint):
            return before
        with exclusive_cache_lock(dataset, context, self.title):
            found = checked_scan(dataset, family)
            now = fingerprint(dataset.config, found)
            return self._before(job, now) or self._make(job, found, now)  # by another program, meanwhile

    def _before(self, job: _Job[CacheT], fingerprint: str) -> BaseModel | None:
        key, state = self._key(job, fingerprint), self._state(job)
        if not job.store.holds(key, state):
            return None
        job.context.show(text=translate("{name}: already cached", name=job.dataset.name))
        return self._outputs(job, job.store.run_of(key), state)

    def _make(self, job: _Job[CacheT], found: Scan, fingerprint: str) -> BaseModel:
        given, sources = job.inputs.dataset.config, self.made_from(job.family)
        params = BuildParams(sources, job.build_key, self.written_last, self.may_be_zero)
        folders = cache_folders(found, job.dataset.config, given, job.family.architecture, self.kind, params)
        check_owner(folders)
        check_orphans((each for each in folders if not each.managed), self.kind)
        for each in folders:
            each.remove_links()
        missing = sum(each.missing for each in folders)
        for each in folders:
            if not each.unmanaged:
                each.clear()
        run = self._encode(job, found, folders, missing) if missing else folders[0].run
        for each in folders:
            each.finish(run)
        state, path = self._state(job), runs_of(job.context.host.output_folder) / run
        job.store.keep(self._key(job, fingerprint), (), path, state)
        if not missing:
            job.context.show(text=translate("{name}: already cached", name=job.dataset.name))
        return self._outputs(job, path, state)

    def _encode(self, job: _Job[CacheT], found: Scan, folders: Sequence[CacheFolder], missing: int) -> str:
        if self.kind == "latent":
            dataset = job.dataset
            for warning in warnings_for(job.family, found, dataset.config, dataset.missing_captions):
                job.context.show(text=str(warning))
        totals = cache_totals(found, job.dataset.config, self.kind, fps=job.family.fps)
        unmanaged = any(each.unmanaged for each in folders)
        verified = frozenset[Path]() if unmanaged else frozenset(path for each in folders for path in each.verified)
        with self.new_folder(job.context) as folder:
            config = str(dump(job.dataset.config, folder.path / "dataset.toml"))
            runner_options = {"dataset_config": config, "keep_cache": True, "skip_existing": not unmanaged}

            def accept(outcome: Outcome) -> None:
                check_orphans(folders, self.kind)
                check_replaced(folders, self.kind, folder)
                kept = verified, self.written_last, self.may_be_zero
                verify(found, job.family.architecture, self.kind, folder, *kept)

            try:
                outcome = execute(self, job.plan, job.context, folder, runner_options, totals, accept)
            except Crashed as error:
                raise with_damaged_file(error, found, job.family.architecture, job.context) from error
        kept = len(found.items) - missing
        told = translate("{count} items cached in {seconds:.0f} s", count=missing, seconds=outcome.seconds)
        job.context.show(text=told + (translate(", {count} already cached", count=kept) if kept else ""))
        return folder.path.name

    def _key(self, job: _Job[CacheT], fingerprint: str) -> str:
        return sha256(f"{job.build_key} {fingerprint}".encode()).hexdigest()[:24]

    def counted(self, inputs: CacheT) -> Any:
        return ()

    def _state(self, job: _Job[CacheT]) -> str:
        return cache_state(job.dataset, job.family.architecture, self.kind)

    def _outputs(self, job: _Job[CacheT], run: Path, state: str) -> BaseModel:
        job.context.track_state(partial(self._state, job), state)
        flags, version = self.cache_flags(job.inputs), self.version_of(job.inputs)
        cache = self.cache(dataset=job.dataset, flags=flags, version=version, state=state)
        return self.Outputs(**{f"{self.kind}_cache": cache, "run": Run(folder=run)})


def cached_dataset(dataset: Dataset, output: Path, family: str) -> Dataset:
    base = output / "musubi" / "cache" / dataset.name / family
    return dataset.model_copy(update={"config": with_cache_directories(dataset.config, base, dataset.source)})


class LatentCacheInputs(CacheInputs):
    disable_cudnn_backend: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Do without cuDNN; may help AMD cards."
    )


class LatentCache(CacheNode):
    Inputs: ClassVar[type[BaseModel]] = LatentCacheInputs
    kind: ClassVar[CacheKind] = "latent"
    search: ClassVar[tuple[str, ...]] = (
        "vae encode",
        "encode images",
        "preprocess",
        "cache latents",
        "前処理",
        "キャッシュ",
    )


class TextEncoderCache(CacheNode):
    kind: ClassVar[CacheKind] = "text"
    search: ClassVar[tuple[str, ...]] = (
        "encode captions",
        "clip",
        "t5",
        "preprocess",
        "embeddings",
        "前処理",
        "キャッシュ",
    )

    def made_from(self, family: Family) -> frozenset[Source]:
        return family.text_made_from
