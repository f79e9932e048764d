"""Execution of a training, with its retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.errors import Crashed
from musubi_nodes.families.caches.locks import shared_cache_lock
from musubi_nodes.families.context import Context
from musubi_nodes.families.execution import execute
from musubi_nodes.families.memory.needs import check_packages, tensorboard
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.settings import Memory, Optimizer, Sampling, Training
from musubi_nodes.families.training.checks import check_caches, check_files
from musubi_nodes.families.training.epochs import epoch_facts
from musubi_nodes.families.training.fingerprint import (
    TrainingFingerprint,
    fingerprint_of,
    record_training,
    without_length,
)
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.launch import configured_options, write_launch_config
from musubi_nodes.families.training.results import Results
from musubi_nodes.families.training.resume import Resume, named_state_stamps, resume_point
from musubi_nodes.families.training.retry import RetryState
from musubi_nodes.families.training.sample_prompts import SampleRules, sample_fields, write_prompts
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Outcome

if TYPE_CHECKING:
    from musubi_nodes.families.training.trainer import Trainer


def train(trainer: Trainer, inputs: TrainerInputs, context: Context) -> BaseModel:
    """Train while nobody changes the caches, again after crashes."""
    retry = RetryState((inputs.training or Training()).crash_retries)
    with shared_cache_lock(inputs.latent_cache.dataset, context, trainer.title):
        return trainer.with_memory(inputs, context, lambda each: _persist(trainer, each, context, retry))


def _persist(trainer: Trainer, inputs: TrainerInputs, context: Context, retry: RetryState) -> BaseModel:
    training = inputs.training or Training()
    while True:
        try:
            return Execution(trainer, inputs, context, trainer.prepare(inputs, context), retry).run()
        except Crashed as error:
            if not retry.may_retry(error, training):
                raise retry.explain(error, training) from error
            log.warning("%s: %s; goes on from the newest state", trainer.title, error.what)
            context.show(text=translate("crashed and resumed automatically: {what}", what=error.what))


@dataclass
class Execution:
    """One attempt at a training; ``retry`` knows those before it."""

    trainer: Trainer
    inputs: TrainerInputs
    context: Context
    install: Install
    retry: RetryState

    @cached_property
    def training(self) -> Training:
        return self.inputs.training or Training()

    @cached_property
    def fixed(self) -> Mapping[str, Any]:
        return self.trainer.fixed_options(self.inputs, self.install)

    @cached_property
    def plan(self) -> Plan:
        return self._plan(self.inputs)

    @cached_property
    def key(self) -> str:
        """Return the result key; caches count by their files' state."""
        return self.plan.key(named_state_stamps(self.training, self.context))

    @cached_property
    def fingerprint(self) -> TrainingFingerprint:
        return fingerprint_of(self._plan(without_length(self.inputs)))

    @cached_property
    def results(self) -> Results:
        return Results(self.trainer, self.inputs, self.context, self.key)

    def run(self) -> BaseModel:
        check_caches(self.inputs, self.trainer.needed_flags(self.inputs), self.trainer.version_of(self.inputs))
        self.retry.key = self.fingerprint.key
        own = self.retry.resumable_checkpoint(self.training)
        if not own and not self.inputs.train_again and (done := self.results.find()):
            return done
        family = self.trainer.family
        check_files(self.inputs, self.trainer.family_of(self.inputs))
        check_packages(
            self.install, self.inputs.memory or Memory(), self.inputs.optimizer or Optimizer(), self.training
        )
        resume = own or resume_point(self.inputs, self.fingerprint, self.context, family, self.trainer.product)
        with self.trainer.new_folder(self.context) as folder:
            self.retry.begin(folder, resume)
            return self._run_in(folder, resume)

    def _run_in(self, folder: RunFolder, resume: Resume | None) -> BaseModel:
        record_training(folder, self.fingerprint, self.training, epoch_facts(self.inputs))
        self.trainer.record_memory(self.inputs, folder)
        write_launch_config(folder.path, self.training.mixed_precision)
        plan = self._plan(self._resumed(resume, folder)) if resume else self.plan
        self.trainer.check_space(plan.inputs, self.install, folder.path, self.trainer.product.folder(self.context))
        options = self._runner_options(folder, resume)
        log.info("%s: optimizer %s, run folder %s", self.trainer.title, self.fixed["optimizer_type"], folder.path)

        def accept(outcome: Outcome) -> None:
            self.results.check(outcome.checkpoint or folder.out / self.inputs.file_name, folder)

        outcome = execute(self.trainer, plan, self.context, folder, options, accept=accept)
        if outcome.checkpoint:
            return self.results.publish_early(folder, outcome.checkpoint, outcome.last)
        self.results.note_finished(folder)
        return self.results.complete(folder, outcome.last)

    def _resumed(self, resume: Resume, folder: RunFolder) -> TrainerInputs:
        resume.record(folder)
        self.context.show(text=resume.summary())
        log.info("%s: goes on after step %d, from %s", self.trainer.title, resume.state.step, resume.run.path.name)
        return resume.inputs(self.inputs)

    def _runner_options(self, folder: RunFolder, resume: Resume | None) -> dict[str, Any]:
        """Return output paths, samples, state and what is fixed."""
        sampling = self.inputs.sampling or Sampling()
        options: dict[str, Any] = {
            "dataset_config": dump(self.inputs.latent_cache.dataset.config, folder.path / "dataset.toml"),
            "output_dir": folder.out,
        }
        if self.training.log_with or tensorboard(self.install):
            options["logging_dir"] = folder.path / "logs"
        if sampling.samples():
            options["sample_prompts"] = self._sample_prompts(sampling, folder.path)
        if resume:
            options["resume"] = resume.state.path
        return options

    def _sample_prompts(self, sampling: Sampling, folder: Path) -> Path:
        own = {name: getattr(self.inputs, field) for name, field in sample_fields(type(self.inputs)).items()}
        pictures, defaults = self.trainer.sample_pictures(self.inputs), self.trainer.sample_options(self.inputs)
        family = self.trainer.family_of(self.inputs)
        rules = SampleRules(pictures, defaults, family.empty_negative_prompt, family.sample_keys)
        return write_prompts(sampling, own, rules, folder)

    def _plan(self, inputs: TrainerInputs) -> Plan:
        configured = configured_options(self.context.services.config.options, self.fixed)
        return self.trainer.plan(self._with_optimizer(inputs), self.context, {**configured, **self.fixed})

    def _with_optimizer(self, inputs: TrainerInputs) -> TrainerInputs:
        """Replace auto by the chosen optimizer."""
        chosen = {"optimizer_type": self.fixed["optimizer_type"]}
        return inputs.model_copy(update={"optimizer": (inputs.optimizer or Optimizer()).model_copy(update=chosen)})
