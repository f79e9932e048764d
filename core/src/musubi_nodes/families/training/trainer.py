"""Base of LoRA trainer nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from musubi_nodes.commands.option import Argument, arguments_from, arguments_of
from musubi_nodes.commands.tables import Table
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.datasets.writing import dump
from musubi_nodes.errors import Crashed, MusubiError
from musubi_nodes.families.arguments import settings_arguments
from musubi_nodes.families.caches.locks import shared_cache_lock
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.lora import check_trained, lora_of, publish_lora
from musubi_nodes.families.lora_fits import check_begins, check_fits
from musubi_nodes.families.memory.measured import record_estimate
from musubi_nodes.families.memory.needs import check_packages, optimizer_of, tensorboard
from musubi_nodes.families.memory.possible import check_fp8_file
from musubi_nodes.families.memory.shapes import largest
from musubi_nodes.families.picture_count import PictureCount
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.families.training.checks import check_caches, check_counts, check_files, check_machine, check_rate
from musubi_nodes.families.training.epochs import epoch_facts
from musubi_nodes.families.training.fingerprint import (
    TrainingFingerprint,
    fingerprint_of,
    record_training,
    without_length,
)
from musubi_nodes.families.training.finished import find_unpublished, note_finished
from musubi_nodes.families.training.inputs import (
    TrainerInputs,
    TrainerOutputs,
    starting_loras,
    starting_weights,
    with_caches,
)
from musubi_nodes.families.training.launch import (
    accelerate_launch,
    affecting_result,
    configured_options,
    write_launch_config,
)
from musubi_nodes.families.training.old_states import remove_old_states
from musubi_nodes.families.training.places import check_login, check_lora_folder, check_paths, longest_path
from musubi_nodes.families.training.resume import named_state_stamps, resume_point
from musubi_nodes.families.training.retry import RetryState
from musubi_nodes.families.training.sample_prompts import SampleRules, check_prompts, sample_fields, write_prompts
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.states import true_name
from musubi_nodes.runs.run import Outcome


class LoRATrainer(ScriptNode):
    """Trains a LoRA on finished caches; only samples need ``sample_models``."""

    category: ClassVar[str] = "MusubiTuner/Training"
    search: ClassVar[tuple[str, ...]] = (
        "train lora",
        "fine-tune",
        "finetune",
        "training",
        "fit",
        "学習",
        "トレーニング",
    )
    output_node: ClassVar[bool] = True
    resolved_sockets: ClassVar[frozenset[str]] = ScriptNode.resolved_sockets.union(
        ("training", "network", "optimizer", "sampling", "network_weights", "base_weights")
    )
    Inputs: ClassVar[type[BaseModel]] = TrainerInputs
    Outputs: ClassVar[type[BaseModel]] = TrainerOutputs
    bar_stage: ClassVar[str] = "sampling"
    sample_models: ClassVar[tuple[str, ...]] = ()
    refused_options: ClassVar[Mapping[str, str]] = {
        "dim_from_weights": "it fails (TypeError, v0.3.4): connect the LoRA to network_weights instead"
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(getattr(cls, "family", None), Family):
            cls.Inputs = with_caches(cls.Inputs, cls.family.key)

    def needed_flags(self, inputs: Any) -> frozenset[str]:
        return frozenset()

    def sample_pictures(self, inputs: Any) -> Mapping[str, PictureCount]:
        """Return how many pictures a sample takes, by field of a prompt."""
        controls = self.family_of(inputs).control_images
        return {"control_image": controls} if controls else {}

    def sample_options(self, inputs: Any) -> Mapping[str, Any]:
        """Return defaults for samples, by key of the prompt file."""
        return {}

    def sample_rule(self, inputs: Any) -> FrameRule:
        return self.family.frame_rule

    def check_samples(self, inputs: Any) -> None:
        """Raise if samples are impossible: v0.3.4 only warns."""

    def lora_noise(self, inputs: Any) -> str:
        """Return the LoRA's model: both, high or low."""
        return "both"

    def most_blocks_to_swap(self, inputs: TrainerInputs) -> int | None:
        most = inputs.models.most_blocks_to_swap
        return most[0] if most else None

    def option_map(self) -> OptionMap:
        return self.family.trainer_options

    def defaults(self) -> Mapping[str, Any]:
        return self.family.training_defaults

    def checks(self, context: Context) -> Iterator[Callable[[Any], None]]:
        yield from super().checks(context)
        yield partial(check_machine, context=context)
        yield from (
            check_rate,
            check_counts,
            check_fp8_file,
            self._check_drawing,
            self._check_sampled,
            self._check_prompts,
            self._check_loras,
        )
        yield partial(self._check_places, context=context)
        yield partial(self._check_network, context=context)

    def _check_places(self, inputs: Any, context: Context) -> None:
        check_lora_folder(context)
        check_paths(context.host.output_folder, inputs.output_name, longest=longest_path())
        training = inputs.training or Training()
        if training.log_with:
            install = context.services.install(self.install_name(inputs))
            check_login(install, training, context.services.config.secrets)

    def _module(self, inputs: Any) -> str:
        return self.family.module_of((inputs.network or Network()).network_type)

    def _check_network(self, inputs: Any, context: Context) -> None:
        """Refuse a kind of network that the install is too old for."""
        chosen, module = (inputs.network or Network()).network_type, self._module(inputs)
        install = context.services.install(self.install_name(inputs))
        if chosen != "LoRA" and install.find_script(f"{module.replace('.', '/')}.py") is None:
            raise MusubiError(
                "network-missing",
                f"musubi-tuner {install.release} at {install.root} cannot train a {chosen}",
                fix="Update it to v0.3.0 or newer, or set network_type of Network Config to LoRA.",
            )

    def _check_drawing(self, inputs: Any) -> None:
        sampling = inputs.sampling or Sampling()
        own = self.defaults().get("timestep_sampling")
        if why := sampling.ignored(sampling.timestep_sampling or own):
            raise MusubiError(
                "setting-ignored",
                f"{self.title}: {why}",
                why=translate("timestep_sampling default of {family} is {own}.", family=self.family.title, own=own),
                fix="Correct it in Sampling Config.",
            )

    def _check_sampled(self, inputs: Any) -> None:
        if inputs.sampling and inputs.sampling.samples():
            self.check_samples(inputs)

    def _check_loras(self, inputs: Any) -> None:
        for lora in starting_loras(inputs):
            check_fits(lora.path, Path(inputs.models.main_dit))
        if inputs.network_weights:
            check_begins(inputs.network_weights.path, inputs.network or Network())

    def _check_prompts(self, inputs: Any) -> None:
        if inputs.sampling and (samples := inputs.sampling.samples()):
            check_prompts(samples, self.sample_rule(inputs), self.family_of(inputs))

    def arguments(self, inputs: TrainerInputs, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        yield from settings_arguments(inputs.training or Training(), "the training settings")
        yield from settings_arguments(inputs.network or Network(), "the network settings")
        optimizer, sampling = inputs.optimizer or Optimizer(), inputs.sampling or Sampling()
        yield from settings_arguments(optimizer, "the optimizer settings")
        yield from settings_arguments(sampling, "the sampling settings")
        sampled = bool(sampling.samples())
        asked = {name for name in self.sample_models if sampled or (name in known and known[name].required)}
        yield from arguments_of(inputs.models, "models", asked)
        yield from arguments_from(starting_weights(inputs), self.title)

    @property
    def trains(self) -> bool:
        return True

    def run(self, inputs: TrainerInputs, context: Context) -> BaseModel:
        retry = RetryState((inputs.training or Training()).crash_retries)
        with shared_cache_lock(inputs.latent_cache.dataset, context, self.title):
            return self.with_memory(inputs, context, lambda each: self.persist(each, context, retry))

    def persist(self, inputs: TrainerInputs, context: Context, retry: RetryState) -> BaseModel:
        training = inputs.training or Training()
        while True:
            try:
                return self.train(inputs, context, retry)
            except Crashed as error:
                if not retry.may_retry(error, training):
                    raise retry.explain(error, training) from error
                log.warning("%s: %s; goes on from the newest state", self.title, error.what)
                context.show(text=translate("crashed and resumed automatically: {what}", what=error.what))

    def train(self, inputs: TrainerInputs, context: Context, retry: RetryState) -> BaseModel:
        install = self.prepare(inputs, context)
        training = inputs.training or Training()
        check_caches(inputs, self.needed_flags(inputs), self.version_of(inputs))
        configured = affecting_result(
            configured_options(context.services.config.options, self._fixed_options(inputs, install))
        )
        fingerprint = self._fingerprint(inputs, install, configured)
        retry.key = fingerprint.key
        own = retry.resumable_checkpoint(training)
        store = ResultStore(context.host.output_folder, "trained")
        key = self._key(inputs, install, configured, named_state_stamps(training, context))
        if not own and not inputs.train_again and (done := self._done_before(inputs, context, store, key)):
            return done
        check_files(inputs, self.family_of(inputs))
        check_packages(install, inputs.memory or Memory(), inputs.optimizer or Optimizer(), training)
        resume = own or resume_point(inputs, fingerprint, context, self.family)
        with self.new_folder(context) as folder:
            retry.begin(folder, resume)
            record_training(folder, fingerprint, training, epoch_facts(inputs))
            write_launch_config(folder.path, training.mixed_precision)
            if resume:
                resume.record(folder)
                inputs = resume.inputs(inputs)
                context.show(text=resume.summary())
                log.info("%s: goes on after step %d, from %s", self.title, resume.state.step, resume.run.path.name)
            runner_options = self.runner_options(inputs, context, install, folder)
            runner_options |= {"resume": str(resume.state.path)} if resume else {}
            if size := inputs.models.dit_size:
                shape = largest(
                    inputs.latent_cache.dataset.config, size, rank=(inputs.network or Network()).network_dim
                )
                record_estimate(folder, self.family.key, size, shape, inputs.memory or Memory())
            log.info("%s: optimizer %s, run folder %s", self.title, runner_options["optimizer_type"], folder.path)

            def made(outcome: Outcome) -> Path:
                return outcome.checkpoint or folder.out / _final(inputs)

            def accept(outcome: Outcome) -> None:
                check_trained(made(outcome), folder.log)
                check_fits(made(outcome), Path(inputs.models.main_dit))

            outcome = self.execute(inputs, context, install, folder, runner_options, accept=accept)
            if outcome.checkpoint:
                return self._finish(inputs, context, folder, made(outcome), outcome)
            note_finished(folder, key)
            return self._complete(inputs, context, store, key, folder, made(outcome), outcome)

    def _done_before(self, inputs: TrainerInputs, context: Context, store: ResultStore, key: str) -> BaseModel | None:
        """Return the same training's valid LoRA, if there is one."""
        if before := store.find(key):
            return self._before(inputs, context, before[0], store.run_of(key))
        left = find_unpublished(context.host.output_folder, key, _final(inputs), Path(inputs.models.main_dit))
        if left is None:
            return None
        with left[0].ending(script=self.script):
            left[0].write_end("done", script=self.script)
            return self._complete(inputs, context, store, key, *left)

    def _complete(
        self,
        inputs: TrainerInputs,
        context: Context,
        store: ResultStore,
        key: str,
        folder: RunFolder,
        made: Path,
        outcome: Outcome | None = None,
    ) -> BaseModel:
        """Publish the LoRA; ``outcome`` is ``None`` for an earlier run."""
        outputs = self._finish(inputs, context, folder, made, outcome)
        store.keep(key, [outputs.lora.path], folder.path)  # type: ignore[attr-defined]
        remove_old_states(folder, inputs.training or Training())
        return outputs

    def _key(self, inputs: TrainerInputs, install: Install, configured: Mapping[str, Any], *facts: str) -> str:
        """Return the result key; caches count by their files' state."""
        runner_options = {
            **configured,
            "dataset_config": "/",
            "output_dir": "/",
            **self._fixed_options(inputs, install),
        }
        return self.key(_with_defaults(inputs, install), install, runner_options, *facts)

    def _fingerprint(
        self, inputs: TrainerInputs, install: Install, configured: Mapping[str, Any]
    ) -> TrainingFingerprint:
        plain = without_length(inputs)
        key = self._key(plain, install, configured)
        return fingerprint_of(_with_defaults(plain, install), key, self.program(install, [self._module(inputs)]))

    def _fixed_options(self, inputs: TrainerInputs, install: Install) -> dict[str, Any]:
        return {
            "output_name": inputs.output_name,
            "network_module": self._module(inputs),
            "optimizer_type": optimizer_of(inputs.optimizer or Optimizer(), install),
        }

    def _before(self, inputs: TrainerInputs, context: Context, path: Path, run: Path) -> BaseModel:
        context.track_output(path)
        context.show(text=translate("already trained: {file}; train_again trains it again", file=f"musubi/{path.name}"))
        return self.Outputs(lora=self._lora(inputs, path), run=Run(folder=run))

    def runner_options(
        self, inputs: TrainerInputs, context: Context, install: Install, folder: RunFolder
    ) -> dict[str, Any]:
        """Return output paths, network, samples and state."""
        training, sampling = inputs.training or Training(), inputs.sampling or Sampling()
        runner_options: dict[str, Any] = {
            "dataset_config": str(dump(inputs.latent_cache.dataset.config, folder.path / "dataset.toml")),
            "output_dir": str(folder.out),
            "resume": None,
            **self._fixed_options(inputs, install),
        }
        if training.log_with or tensorboard(install):
            runner_options["logging_dir"] = str(folder.path / "logs")
        if sampling.samples():
            own = {name: getattr(inputs, field) for name, field in sample_fields(type(inputs)).items()}
            negative = self.family.empty_negative_prompt
            rules = SampleRules(self.sample_pictures(inputs), self.sample_options(inputs), negative)
            runner_options["sample_prompts"] = str(write_prompts(sampling, own, rules, folder.path))
        return runner_options | configured_options(context.services.config.options, runner_options)

    def launcher(self, inputs: TrainerInputs, install: Install, folder: Path) -> list[str]:
        device = self.device(inputs)
        cpu = device == "cpu" or (install.cpu and device == "auto")
        return accelerate_launch(install, inputs, folder, cpu=cpu)

    def _finish(
        self, inputs: TrainerInputs, context: Context, folder: RunFolder, made: Path, outcome: Outcome | None
    ) -> BaseModel:
        complete = outcome is None or outcome.checkpoint is None
        name = true_name(folder, made)
        target = publish_lora(context, made, name, complete)
        folder.note_made(f"musubi/{target.name}")
        context.show(text=_summary(name, target, outcome))
        if not complete and not (inputs.training or Training()).save_state:
            context.show(text=translate("save_state is off: this training cannot be resumed from here"))
        return self.Outputs(lora=self._lora(inputs, target, complete), run=Run(folder=folder.path))

    def _lora(self, inputs: TrainerInputs, path: Path, complete: bool = True) -> Lora:
        return lora_of(path).model_copy(update={"noise": self.lora_noise(inputs), "complete": complete})

    def processes(self, inputs: TrainerInputs) -> int:
        """Divide ``num_processes``, which counts all machines."""
        return max(int(inputs.num_processes) // int(inputs.num_machines), 1)


def _final(inputs: TrainerInputs) -> str:
    return f"{inputs.output_name}.safetensors"


def _summary(name: str, target: Path, outcome: Outcome | None) -> str:
    file = f"musubi/{target.name}"
    if outcome is None:
        return translate("trained earlier, published now: {file}", file=file)
    last, lines = outcome.last, []
    if outcome.checkpoint and last.stage == "training":
        lines.append(translate("stopped early, after step {step} of {total}", step=last.current, total=last.total))
    elif outcome.checkpoint:
        lines.append(translate("stopped early"))
    lines.append(translate("saved as {file}", file=file))
    if target.name != name:
        lines.append(translate("{name} already existed", name=name))
    if last.loss is not None:
        lines.append(f"loss {last.loss:.4g}")
    return " · ".join(lines)


def _with_defaults(inputs: TrainerInputs, install: Install) -> TrainerInputs:
    """Replace unconnected settings and auto by their values."""
    optimizer = inputs.optimizer or Optimizer()
    chosen = optimizer.model_copy(update={"optimizer_type": optimizer_of(optimizer, install)})
    told = {"training": inputs.training or Training(), "network": inputs.network or Network(), "optimizer": chosen}
    return inputs.model_copy(update={**told, "sampling": inputs.sampling or Sampling()})
