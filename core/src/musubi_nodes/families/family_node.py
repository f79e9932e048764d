"""Base of nodes that run a script with a family's models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from typing_extensions import TypeVar

from musubi_nodes.commands.option import Argument, marker
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError, OutOfMainMemory
from musubi_nodes.families.arguments import memory_arguments, spelled
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.fields import ForVersions
from musubi_nodes.families.memory.plans import sparing, stronger
from musubi_nodes.families.memory.possible import check_swap
from musubi_nodes.families.memory.retries import Step, T, with_memory
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.settings import Memory
from musubi_nodes.runs.install import Install

ScriptT = TypeVar("ScriptT", bound=ScriptInputs, default=Any)


class FamilyNode(ScriptNode[ScriptT]):
    """Runs a script with models, on a GPU, with memory settings."""

    trains: ClassVar[bool] = False
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"models"})

    def version_of(self, inputs: ScriptT) -> str:
        """Return the models' version, if the family has versions."""
        return inputs.models.version if inputs.models.version in self.family.versions else ""

    def family_of(self, inputs: ScriptT) -> Family:
        return self.family.version(inputs.models.version)

    def option_map(self) -> OptionMap:
        """Return the script's options for fp8 and attention."""
        return {}

    def arguments(self, inputs: ScriptT, known: Table, version: str) -> Iterator[Argument]:
        family, memory = self.family_of(inputs), inputs.memory or Memory()
        yield from memory_arguments(memory, family, self.option_map(), self.script, known)
        yield from super().arguments(inputs, known, version)

    def device(self, inputs: ScriptT) -> str:
        return str(inputs.device)

    def install_name(self, inputs: ScriptT) -> str | None:
        return inputs.models.install

    def most_blocks_to_swap(self, inputs: ScriptT) -> int | None:
        """Return the limit, ``None`` if unknown or unsupported."""
        return None

    def checks(self, context: Context) -> Iterator[Callable[[ScriptT], None]]:
        yield self.check_memory
        yield self.check_versions
        yield from super().checks(context)

    def prepare(self, inputs: ScriptT, context: Context) -> Install:
        self.check_device(inputs, context.services.install(self.install_name(inputs)))
        return super().prepare(inputs, context)

    def check_memory(self, inputs: ScriptT) -> None:
        memory = inputs.memory or Memory()
        spelled(memory, self.option_map(), self.script)
        most = self.most_blocks_to_swap(inputs)
        if most is not None:
            check_swap(memory, most, self.title)

    def check_versions(self, inputs: ScriptT) -> None:
        """Raise for settings that the models' version lacks."""
        for name, field in self.Inputs.model_fields.items():
            mark = marker(field, ForVersions)
            if mark is None or self.version_of(inputs) in mark.names:
                continue
            value, first = getattr(inputs, name), field.default
            if value is not first and (first is None or value != first):  # a picture cannot be compared
                raise MusubiError(
                    "setting-other-version",
                    f"{self.title}: {name} is for {', '.join(mark.names)}, not for {self.version_of(inputs)}",
                    fix="Choose another version in the models node, or set it back.",
                )

    def with_memory(self, inputs: ScriptT, context: Context, attempt: Callable[[ScriptT], T]) -> T:
        """Call ``attempt``, with a stronger memory plan after "out of memory"."""
        return with_memory(self.title, inputs, context, attempt, partial(self._saving_more, context=context))

    def _saving_more(self, error: MusubiError, inputs: ScriptT, context: Context) -> Step | None:
        memory = inputs.memory or Memory()
        known = parser_options(context.services.install(self.install_name(inputs)), self.script)
        if isinstance(error, OutOfMainMemory):
            return sparing(memory, self.option_map(), known)
        most = self.most_blocks_to_swap(inputs)
        return stronger(memory, self.family, self.option_map(), most, known, training=self.trains)

    def check_device(self, inputs: ScriptT, install: Install) -> None:
        """Refuse the CPU unless the install allows it."""
        if self.device(inputs) == "cpu" and not install.cpu:
            raise MusubiError(
                "cpu-not-allowed",
                f"{self.title} cannot run on the CPU",
                why="musubi-tuner's model scripts need a CUDA GPU.",
                fix="Choose a GPU; for toy weights set `cpu = true` of the install in config.toml.",
            )
