"""Base of trainer nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel
from typing_extensions import TypeVar

from musubi_nodes.commands.option import Argument, arguments_of
from musubi_nodes.commands.tables import Table
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.families.arguments import settings_arguments
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.family_node import FamilyNode
from musubi_nodes.families.memory.needs import optimizer_of
from musubi_nodes.families.memory.possible import check_fp8_file
from musubi_nodes.families.picture_count import PictureCount
from musubi_nodes.families.product import Product
from musubi_nodes.families.settings import Optimizer, Sampling, Training
from musubi_nodes.families.training.checks import check_counts, check_drawing, check_machine, check_rate
from musubi_nodes.families.training.execution import train
from musubi_nodes.families.training.inputs import TrainerInputs, with_caches
from musubi_nodes.families.training.launch import accelerate_launch
from musubi_nodes.families.training.places import check_folder, check_login, check_paths, longest_path
from musubi_nodes.families.training.sample_prompts import check_prompts
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder

TrainerT = TypeVar("TrainerT", bound=TrainerInputs, default=Any)


class Trainer(FamilyNode[TrainerT]):
    """Trains on finished caches; only samples need ``sample_models``."""

    category: ClassVar[str] = "MusubiTuner/Training"
    output_node: ClassVar[bool] = True
    resolved_sockets: ClassVar[frozenset[str]] = FamilyNode.resolved_sockets | {"training", "optimizer", "sampling"}
    bar_stage: ClassVar[str] = "sampling"
    trains: ClassVar[bool] = True
    sample_models: ClassVar[tuple[str, ...]] = ()
    product: ClassVar[Product]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(getattr(cls, "family", None), Family):
            cls.Inputs = with_caches(cls.Inputs, cls.family.key)

    def needed_flags(self, inputs: TrainerT) -> frozenset[str]:
        return frozenset()

    def sample_pictures(self, inputs: TrainerT) -> Mapping[str, PictureCount]:
        """Return how many pictures a sample takes, by field of a prompt."""
        controls = self.family_of(inputs).control_images
        return {"control_image": controls} if controls else {}

    def sample_options(self, inputs: TrainerT) -> Mapping[str, Any]:
        """Return defaults for samples, by key of the prompt file."""
        return self.family_of(inputs).sample_options

    def sample_rule(self, inputs: TrainerT) -> FrameRule:
        return self.family.frame_rule

    def check_samples(self, inputs: TrainerT) -> None:
        """Raise if samples are impossible: v0.3.4 only warns."""

    def fixed_options(self, inputs: TrainerT, install: Install) -> dict[str, Any]:
        """Return the runner's options that don't depend on the run."""
        optimizer = optimizer_of(inputs.optimizer or Optimizer(), install)
        return {"output_name": inputs.output_name, "optimizer_type": optimizer}

    def outputs_of(self, inputs: TrainerT, path: Path, complete: bool) -> Mapping[str, Any]:
        """Return the outputs for the published file, except ``run``."""
        raise TypeError(f"{type(self).__name__} does not say what it hands on")

    def check_space(self, inputs: TrainerT, install: Install, folder: Path, target: Path) -> None:
        """Raise if ``folder``, or ``target`` for the final file, is too small."""

    def record_memory(self, inputs: TrainerT, folder: RunFolder) -> None:
        """Record the estimate of GPU memory, if there is one."""

    def most_blocks_to_swap(self, inputs: TrainerT) -> int | None:
        most = inputs.models.most_blocks_to_swap
        return most[0] if most else None

    def option_map(self) -> OptionMap:
        return self.family.trainer_options

    def defaults(self) -> Mapping[str, Any]:
        return self.family.training_defaults

    def checks(self, context: Context) -> Iterator[Callable[[TrainerT], None]]:
        yield from super().checks(context)
        yield partial(check_machine, context=context)
        yield from (check_rate, check_counts, check_fp8_file, self._check_drawing, self._check_sampled)
        yield self._check_prompts
        yield partial(self._check_places, context=context)

    def _check_drawing(self, inputs: TrainerT) -> None:
        check_drawing(inputs.sampling or Sampling(), self.defaults().get("timestep_sampling"), self.title)

    def _check_sampled(self, inputs: TrainerT) -> None:
        if inputs.sampling and inputs.sampling.samples():
            self.check_samples(inputs)

    def _check_prompts(self, inputs: TrainerT) -> None:
        if inputs.sampling and (samples := inputs.sampling.samples()):
            check_prompts(samples, self.sample_rule(inputs), self.family_of(inputs))

    def _check_places(self, inputs: TrainerT, context: Context) -> None:
        check_folder(self.product.folder(context), self.product.kind)
        check_paths(context.host.output_folder, inputs.output_name, longest=longest_path())
        training = inputs.training or Training()
        if training.log_with:
            install = context.services.install(self.install_name(inputs))
            check_login(install, training, context.services.config.secrets)

    def arguments(self, inputs: TrainerT, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        sampling = inputs.sampling or Sampling()
        yield from settings_arguments(inputs.training or Training(), "the training settings")
        yield from settings_arguments(inputs.optimizer or Optimizer(), "the optimizer settings")
        yield from settings_arguments(sampling, "the sampling settings")
        sampled = bool(sampling.samples())
        asked = {name for name in self.sample_models if sampled or (name in known and known[name].required)}
        yield from arguments_of(inputs.models, "models", asked)

    def run(self, inputs: TrainerT, context: Context) -> BaseModel:
        return train(self, inputs.completed(), context)

    def launcher(self, inputs: TrainerT, install: Install, folder: Path) -> list[str]:
        device = self.device(inputs)
        cpu = device == "cpu" or (install.cpu and device == "auto")
        return accelerate_launch(install, inputs, folder, cpu=cpu)

    def processes(self, inputs: TrainerT) -> int:
        """Divide ``num_processes``, which counts all machines."""
        return max(int(inputs.num_processes) // int(inputs.num_machines), 1)
