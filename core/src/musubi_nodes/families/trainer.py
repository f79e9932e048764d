"""The base of a family's LoRA trainer node."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, field_validator

from musubi_nodes.commands.option import Argument, Option, arguments_from, arguments_of
from musubi_nodes.commands.ownership import RUNNER
from musubi_nodes.commands.tables import Table
from musubi_nodes.config import config_file
from musubi_nodes.datasets.fingerprint import fingerprint
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.errors import Crashed, MusubiError
from musubi_nodes.families.arguments import settings_arguments
from musubi_nodes.families.cache_locks import caches_in_use
from musubi_nodes.families.caches import checked_scan, verify
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Spelling
from musubi_nodes.families.fields import Native, Widget
from musubi_nodes.families.lora import check_fits, check_trained, publish_lora
from musubi_nodes.families.measured import note
from musubi_nodes.families.needs import check_packages, optimizer_of, tensorboard
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.records import Records
from musubi_nodes.families.resume import (
    Resume,
    finishing,
    plan,
    resume_point,
    told_to_go_on,
    whatever_length,
    with_auto,
)
from musubi_nodes.families.samples import write_prompts
from musubi_nodes.families.script import ScriptInputs, ScriptNode
from musubi_nodes.families.settings import Memory, Optimizer, Sampling, Training
from musubi_nodes.families.shapes import largest
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.files import plain_name
from musubi_nodes.runs.folder import RunFolder
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.run import Outcome
from musubi_nodes.runs.states import true_name

ADVANCED = Widget(advanced=True)
log = logging.getLogger("musubi_nodes")


class TrainerInputs(ScriptInputs):
    """What every LoRA trainer takes; a family adds ``models``, ``latent_cache`` and ``text_cache`` of its own types."""

    training: Training | None = Field(None, description="Length, rank, learning rate, saving.")
    optimizer: Optimizer | None = Field(None, description="Optimizer and scheduler.")
    sampling: Sampling | None = Field(None, description="Timesteps, and samples on the way.")
    network_weights: Lora | None = Field(None, description="A LoRA to go on training from.")
    base_weights: Lora | None = Field(None, description="LoRAs that are merged into the model before training.")
    sample_image: Annotated[Any, Native("IMAGE")] = Field(
        None, description="First picture of the samples, for models that turn pictures into videos."
    )
    output_name: str = Field("my_lora", description="Name of the LoRA file in models/loras/musubi.")
    num_processes: Annotated[int, ADVANCED] = Field(
        1, ge=1, le=64, description="Processes of accelerate: one for each GPU that trains together."
    )
    num_machines: Annotated[int, ADVANCED] = Field(1, ge=1, le=64, description="Machines that train together.")
    machine_rank: Annotated[int, ADVANCED] = Field(0, ge=0, le=63, description="Number of this machine; 0 leads.")
    main_process_ip: Annotated[str, ADVANCED] = Field("", description="Address of machine 0, for several machines.")
    main_process_port: Annotated[int | None, ADVANCED] = Field(
        None, ge=1, le=65535, description="Port of machine 0. 0: accelerate's own."
    )
    ddp_timeout: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=100_000, description="Minutes that processes wait for each other. 0: the default."
    )
    ddp_gradient_as_bucket_view: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Several GPUs: share the memory of gradients."
    )
    ddp_static_graph: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Several GPUs: the graph never changes."
    )

    train_again: Annotated[bool, Widget(advanced=True, added=1)] = Field(
        False, description="Train also where the same LoRA was trained before; else that one is handed on."
    )

    @field_validator("output_name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name)


class TrainerOutputs(NodeOutputs):
    """A trained LoRA and its run."""

    lora: Lora = Field(description="The trained LoRA, already in models/loras/musubi.")
    run: Run = Field(description="The run folder: log, metrics, checkpoints, samples.")


class LoRATrainer(ScriptNode):
    """Trains a LoRA on finished caches. Declare ``sample_models``: fields of the models that only samples need."""

    category: ClassVar[str] = "MusubiTuner/Training"
    output_node: ClassVar[bool] = True
    Inputs: ClassVar[type[BaseModel]] = TrainerInputs
    Outputs: ClassVar[type[BaseModel]] = TrainerOutputs
    bar_stage: ClassVar[str] = "sampling"
    sample_models: ClassVar[tuple[str, ...]] = ()
    refused_options: ClassVar[Mapping[str, str]] = {
        "dim_from_weights": "it fails (TypeError, v0.3.4): connect the LoRA to network_weights instead"
    }

    def needed_flags(self, inputs: Any) -> frozenset[str]:
        """The flags that the latent cache must have been made with."""
        return frozenset()

    def needs_sample_image(self, inputs: Any) -> bool:
        """Whether samples of this task begin with a picture."""
        return False

    def sample_options(self, inputs: Any) -> Mapping[str, Any]:
        """What samples are made with unless their prompts say otherwise, by its name in a JSON prompt file."""
        return {}

    def sample_rule(self, inputs: Any) -> FrameRule:
        """How many frames a sample may have."""
        return self.family.frame_rule

    def check_samples(self, inputs: Any) -> None:
        """Raise a MusubiError where this training cannot make samples: musubi-tuner would only warn (v0.3.4)."""

    def lora_noise(self, inputs: Any) -> str:
        """For which of two models the LoRA is: both, high or low."""
        return "both"

    def most_blocks_to_swap(self, inputs: Any) -> int | None:
        most = inputs.models.most_blocks_to_swap
        return most[0] if most else None

    def spelling(self) -> Spelling:
        return self.family.trainer_spelling

    def defaults(self) -> Mapping[str, Any]:
        return self.family.training_defaults

    def foresee(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "main_process_ip" not in linked:
            _check_machine(values["main_process_ip"], context)

    def arguments(self, inputs: Any, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        yield from settings_arguments(inputs.training or Training(), "the training settings")
        optimizer, sampling = inputs.optimizer or Optimizer(), inputs.sampling or Sampling()
        yield from settings_arguments(optimizer, "the optimizer settings")
        yield from settings_arguments(sampling, "the sampling settings")
        sampled = bool(sampling.samples())
        asked = {name for name in self.sample_models if sampled or (name in known and known[name].required)}
        yield from arguments_of(inputs.models, "models", asked)
        yield from arguments_from(_weights(inputs), self.title)

    @property
    def trains(self) -> bool:
        return True

    def run(self, inputs: Any, context: Context) -> BaseModel:
        with caches_in_use(inputs.latent_cache.dataset, context, self.title):
            return self.with_memory(inputs, context, lambda each: self.persist(each, context))

    def persist(self, inputs: Any, context: Context) -> BaseModel:
        """One training; after a crash again from its newest state, as often as the settings allow."""
        retries = (inputs.training or Training()).crash_retries
        while True:
            try:
                return self.train(inputs, context)
            except Crashed as error:
                again, install = with_auto(inputs), context.services.install(self.install_name(inputs))
                point = self._resume(again, context, install)
                if not retries or not point:
                    raise told_to_go_on(error, point) from error
                retries, inputs = retries - 1, again
                log.warning("%s: %s; goes on from the newest state", self.title, error.what)
                context.show(text=f"crashed and went on by itself: {error.what}")

    def train(self, inputs: Any, context: Context) -> BaseModel:
        """One training from start to end."""
        install = self.prepare(inputs, context)
        _check_machine(inputs.main_process_ip, context)
        (inputs.optimizer or Optimizer()).check_rate((inputs.training or Training()).learning_rate)
        _check_caches(self, inputs)
        records, key = Records(context.host.output_folder, "trained"), self._key(finishing(inputs), install)
        if not inputs.train_again and (before := records.find(key)):
            return self._before(inputs, context, before[0], records.run_of(key))
        _check_files(self, inputs)
        check_packages(install, inputs.memory or Memory(), inputs.optimizer or Optimizer())
        for lora in _loras(inputs):
            check_fits(lora.path, Path(inputs.models.main_dit))
        training, resume = inputs.training or Training(), self._resume(inputs, context, install)
        with self.new_folder(context) as folder:
            plan(folder, self._key(whatever_length(inputs), install), training)
            if resume:
                resume.note(folder)
                inputs = resume.inputs(inputs)
                context.show(text=resume.told())
                log.info("%s: %s", self.title, resume.told())
            owned = self.owned(inputs, context, install, folder)
            owned |= {"resume": str(resume.state.path)} if resume else {}
            memory = inputs.memory or Memory()
            shape = largest(inputs.latent_cache.dataset.config, rank=training.network_dim)
            note(folder, self.family.key, inputs.models.dit_size, shape, memory)
            log.info("%s: optimizer %s, run folder %s", self.title, owned["optimizer_type"], folder.path)

            def made(outcome: Outcome) -> Path:
                return outcome.checkpoint or folder.out / f"{inputs.output_name}.safetensors"

            def accept(outcome: Outcome) -> None:
                check_trained(made(outcome), folder.log)
                check_fits(made(outcome), Path(inputs.models.main_dit))

            outcome = self.execute(inputs, context, install, folder, owned, accept=accept)
            outputs = self._finish(inputs, context, folder, outcome, made(outcome))
            if outcome.checkpoint is None:
                records.keep(key, [outputs.lora.path], folder.path)  # type: ignore[attr-defined]
            return outputs

    def _key(self, inputs: Any, install: Install) -> str:
        """The caches count by the state of their files: another VAE makes another LoRA."""
        owned = {"dataset_config": "/", "output_dir": "/", **self._said(inputs, install)}
        return self.key(inputs, install, owned)

    def _resume(self, inputs: Any, context: Context, install: Install) -> Resume | None:
        if inputs.train_again or not (inputs.training or Training()).resume.strip():
            return None
        return resume_point(inputs, self._key(whatever_length(inputs), install), context.host.output_folder)

    def _said(self, inputs: Any, install: Install) -> dict[str, Any]:
        return {
            "output_name": inputs.output_name,
            "network_module": self.family.network_module,
            "optimizer_type": optimizer_of(inputs.optimizer or Optimizer(), install),
        }

    def _before(self, inputs: Any, context: Context, path: Path, run: Path) -> BaseModel:
        context.made(path)
        context.show(text=f"was trained before: musubi/{path.name}; train_again trains it anew")
        return self.Outputs(lora=self._lora(inputs, path), run=Run(folder=run))

    def owned(self, inputs: Any, context: Context, install: Install, folder: RunFolder) -> dict[str, Any]:
        """The options that the runner sets: where things go, which network, what is sampled and resumed."""
        from musubi_nodes.datasets.toml import dump

        training, sampling = inputs.training or Training(), inputs.sampling or Sampling()
        owned: dict[str, Any] = {
            "dataset_config": str(dump(inputs.latent_cache.dataset.config, folder.path / "dataset.toml")),
            "output_dir": str(folder.out),
            "resume": None,
            **self._said(inputs, install),
        }
        if training.log_with or tensorboard(install):
            owned["logging_dir"] = str(folder.path / "logs")
        if sampling.samples():
            self.check_samples(inputs)
            needs = self.needs_sample_image(inputs)
            rule, options = self.sample_rule(inputs), self.sample_options(inputs)
            prompts = write_prompts(sampling, rule, self.family.title, inputs.sample_image, needs, folder.path, options)
            owned["sample_prompts"] = str(prompts)
        return owned | _uploads(context.services.config.options, owned)

    def launcher(self, inputs: Any, install: Install) -> list[str]:
        """accelerate through the install's own Python, every count explicit (else it prints notices and guesses)."""
        precision = (inputs.training or Training()).mixed_precision
        several = inputs.num_processes > 1 or inputs.num_machines > 1
        options = {
            "num_processes": inputs.num_processes,
            "num_machines": inputs.num_machines,
            "machine_rank": inputs.machine_rank,
            "main_process_ip": inputs.main_process_ip,
            "main_process_port": inputs.main_process_port,
            "dynamo_backend": "no",
            "num_cpu_threads_per_process": 1,
            "mixed_precision": precision,
        }
        flags = ["--multi_gpu"] * several + ["--cpu"] * (self.device(inputs) == "cpu" or install.cpu)
        given = [f"--{name}={value}" for name, value in options.items() if value not in (None, "")]
        return [str(install.python), "-m", "accelerate.commands.launch", *given, *flags]

    def _finish(self, inputs: Any, context: Context, folder: RunFolder, outcome: Outcome, made: Path) -> BaseModel:
        complete = outcome.checkpoint is None
        name = true_name(folder, made)
        target = publish_lora(context, made, name, complete)
        folder.note_made(f"musubi/{target.name}")
        context.show(text=_told(name, target, outcome))
        if not complete and not (inputs.training or Training()).save_state:
            context.show(text="save_state is off: this training cannot go on from here")
        return self.Outputs(lora=self._lora(inputs, target, complete), run=Run(folder=folder.path))

    def _lora(self, inputs: Any, path: Path, complete: bool = True) -> Lora:
        noise = self.lora_noise(inputs)
        return Lora(path=path, family=self.family.key, format="musubi", noise=noise, complete=complete)

    def processes(self, inputs: Any) -> int:
        """accelerate's ``num_processes`` counts those of all machines."""
        return max(int(inputs.num_processes) // int(inputs.num_machines), 1)


def _told(name: str, target: Path, outcome: Outcome) -> str:
    """One line about what was trained."""
    last = outcome.last
    step = f" after step {last.current} of {last.total}" if last.stage == "training" else ""
    stopped = f"stopped early{step}: " if outcome.checkpoint else ""
    renamed = f" ({name} was there already)" if target.name != name else ""
    loss = f", loss {last.loss:.4g}" if last.loss is not None else ""
    return f"{stopped}saved as musubi/{target.name}{renamed}{loss}"


def _check_machine(address: str, context: Context) -> None:
    """Processes that train together trust each other, so that no workflow may choose whom this machine talks to."""
    if address and address not in context.services.config.machines:
        raise MusubiError(
            f"main_process_ip {address[:80]!r} is none of the machines in config.toml",
            why="A workflow may come from a stranger, and machines that train together trust each other.",
            fix=f"Write  machines = [{address[:80]!r}]  into {config_file()} and start again, or leave it empty.",
        )


def _check_caches(node: LoRATrainer, inputs: Any) -> None:
    latent, text = inputs.latent_cache, inputs.text_cache
    if latent.dataset.fingerprint != text.dataset.fingerprint:
        raise MusubiError(
            f"the latent cache ({latent.dataset.name}) and the text cache ({text.dataset.name}) are of two datasets",
            fix="Connect both cache nodes to the same dataset node.",
        )
    needed = node.needed_flags(inputs)
    if latent.flags != needed:
        made, wants = _flags(latent.flags), _flags(needed)
        raise MusubiError(
            f"the latent cache was made {made}, but this training needs one made {wants}",
            fix="Connect the same models node to the latent cache and to the trainer, and cache again.",
        )


def _check_files(node: LoRATrainer, inputs: Any) -> None:
    """The dataset is what was cached, and each of its items has caches that can be read."""
    latent = inputs.latent_cache
    found = checked_scan(latent.dataset, node.family)
    if fingerprint(latent.dataset.config, found) != latent.dataset.fingerprint:
        raise MusubiError(
            f"the dataset {latent.dataset.name} has changed since it was cached",
            fix="Queue again: both caches are made anew then.",
        )
    verify(found, node.family.architecture, "latent")
    verify(found, node.family.architecture, "text")


def _uploads(options: Mapping[str, Any], owned: Mapping[str, Any]) -> dict[str, Any]:
    """[options] of the server's configuration; what the runner sets is not theirs."""
    if taken := sorted((RUNNER | owned.keys()) & options.keys()):
        raise MusubiError(f"[options] of config.toml sets {', '.join(taken)}, which the runner sets", fix="Remove it.")
    return dict(options)


def _flags(flags: frozenset[str]) -> str:
    return "with " + " and ".join(sorted(flags)) if flags else "for text to video"


def _loras(inputs: Any) -> Sequence[Lora]:
    first = inputs.network_weights.chain() if inputs.network_weights else ()
    if len(first) > 1:
        raise MusubiError("network_weights takes one LoRA, not a chain", fix="Use base_weights to merge several.")
    return (*first, *(inputs.base_weights.chain() if inputs.base_weights else ()))


def _weights(inputs: Any) -> dict[str, Any]:
    merged = inputs.base_weights.chain() if inputs.base_weights else ()
    return {
        "network_weights": str(inputs.network_weights.path) if inputs.network_weights else None,
        "base_weights": [lora.path for lora in merged],
        "base_weights_multiplier": [lora.multiplier for lora in merged],
    }
