"""Base of nodes that run a script of musubi-tuner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from musubi_nodes.commands.check import accepted_arguments
from musubi_nodes.commands.extra import extra_arguments, parse_extra
from musubi_nodes.commands.option import Argument, arguments_from, marker
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError, OutOfMainMemory, Unresolved
from musubi_nodes.families.arguments import memory_arguments, own_arguments, spelled, with_defaults
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.fields import ForVersions
from musubi_nodes.families.input_files import uploads_of
from musubi_nodes.families.memory.plans import sparing, stronger
from musubi_nodes.families.memory.possible import check_swap
from musubi_nodes.families.memory.retries import InputsT, Step, T, with_memory
from musubi_nodes.families.node import Node
from musubi_nodes.families.numbers_of import check_given
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.resolved_inputs import resolved_inputs
from musubi_nodes.families.result_key import named_files
from musubi_nodes.families.settings import Memory
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class ScriptNode(Node):
    """Runs a script of the family's musubi-tuner."""

    family: ClassVar[Family]
    script: ClassVar[str]
    script_since: ClassVar[str] = ""
    """First release with the script, if no stored table has it."""
    bar_stage: ClassVar[str] = "working"
    passes: ClassVar[int] = 1
    trains: ClassVar[bool] = False
    resolved_sockets: ClassVar[frozenset[str]] = frozenset({"models"})
    refused_options: ClassVar[dict[str, str]] = {}
    """Options that can't work, with reasons, beside the family's."""

    def version_of(self, inputs: Any) -> str:
        """Return the models' version, if the family has versions."""
        return inputs.models.version if inputs.models.version in self.family.versions else ""

    def family_of(self, inputs: Any) -> Family:
        return self.family.version(inputs.models.version)

    def computed_options(self, inputs: Any) -> Mapping[str, Any]:
        return {}

    def option_map(self) -> OptionMap:
        """Return the script's options for fp8 and attention."""
        return {}

    def arguments(self, inputs: Any, known: Table, version: str) -> Iterator[Argument]:
        yield from own_arguments(inputs, self.title)
        yield from arguments_from(self.computed_options(inputs), self.title, self.Inputs)
        yield from self.memory(inputs, known)
        yield from extra_arguments(
            inputs.extra_options, self.script, known, version, self.family.refused_options | self.refused_options
        )

    def memory(self, inputs: Any, known: Table) -> Iterator[Argument]:
        return memory_arguments(inputs.memory or Memory(), self.family, self.option_map(), self.script, known)

    def device(self, inputs: Any) -> str:
        return str(inputs.device)

    def processes(self, inputs: Any) -> int:
        """Return how many of this machine's GPUs it uses."""
        return 1

    def check(self, inputs: Any, context: Context) -> None:
        """Check the family's own rules, as far as inputs are known."""

    def checks(self, context: Context) -> Iterator[Callable[[Any], None]]:
        yield self.check_memory
        yield self.check_versions
        yield partial(self.check, context=context)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        context.services.executor()
        if "extra_options" not in linked:
            parse_extra(values.get("extra_options", ""))
        inputs = resolved_inputs(type(self), values, linked)
        for check in self.checks(context):
            with suppress(Unresolved):
                check(inputs)

    def prepare(self, inputs: Any, context: Context) -> Install:
        """Check the inputs and return the install."""
        install = context.services.install(self.install_name(inputs))
        self.check_device(inputs, install)
        check_given(inputs)
        for check in self.checks(context):
            check(inputs)
        return install

    def new_folder(self, context: Context) -> AbstractContextManager[RunFolder]:
        """Open a run folder, whose status records errors."""
        output = context.host.output_folder
        known = {"class": self.id, "family": self.family.key, "node": context.node_id}
        return RunFolder.opened(output, self.id, {**known, **context.queued}, lambda error: error is context.interrupt)

    def install_name(self, inputs: Any) -> str | None:
        return inputs.models.install

    def most_blocks_to_swap(self, inputs: Any) -> int | None:
        """Return the limit, ``None`` if unknown or unsupported."""
        return None

    def check_memory(self, inputs: Any) -> None:
        memory = inputs.memory or Memory()
        spelled(memory, self.option_map(), self.script)
        most = self.most_blocks_to_swap(inputs)
        if most is not None:
            check_swap(memory, most, self.title)

    def check_versions(self, inputs: Any) -> None:
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

    def defaults(self) -> Mapping[str, Any]:
        return {}

    def plan(self, inputs: Any, context: Context, options: Mapping[str, Any] = NO_OPTIONS) -> Plan:
        """Return the run's plan; ``options`` are the runner's that don't depend on the run folder."""
        install = context.services.install(self.install_name(inputs))
        plan = self.planned(inputs, parser_options(install, self.script), install.version, options)
        return replace(plan.on(install), counted=[self.counted(inputs), [*uploads_of(self.fields(), inputs, context)]])

    def planned(self, inputs: Any, known: Table, version: str, options: Mapping[str, Any] = NO_OPTIONS) -> Plan:
        """Return the plan for a script with ``known`` options."""
        arguments = [*self.arguments(inputs, known, version), *arguments_from(options, "the runner")]
        every = with_defaults(arguments, self.defaults())
        accepted = accepted_arguments(every, self.script, known, version, {*named_files(inputs)})
        return Plan(self.title, self.script, known, version, accepted, inputs)

    def counted(self, inputs: Any) -> Any:
        """Return the inputs that count besides options."""
        return inputs

    def launcher(self, inputs: Any, install: Install, folder: Path) -> list[str]:
        """Return the words before the script."""
        return [str(install.python)]

    def with_memory(self, inputs: InputsT, context: Context, attempt: Callable[[InputsT], T]) -> T:
        """Call ``attempt``, with a stronger memory plan after "out of memory"."""
        return with_memory(self.title, inputs, context, attempt, partial(self._saving_more, context))

    def _saving_more(self, context: Context, error: MusubiError, inputs: Any) -> Step | None:
        memory = inputs.memory or Memory()
        known = parser_options(context.services.install(self.install_name(inputs)), self.script)
        if isinstance(error, OutOfMainMemory):
            return sparing(memory, self.option_map(), known)
        most = self.most_blocks_to_swap(inputs)
        return stronger(memory, self.family, self.option_map(), most, known, training=self.trains)

    def check_device(self, inputs: Any, install: Install) -> None:
        """Refuse the CPU unless the install allows it."""
        if self.device(inputs) == "cpu" and not install.cpu:
            raise MusubiError(
                "cpu-not-allowed",
                f"{self.title} cannot run on the CPU",
                why="musubi-tuner's model scripts need a CUDA GPU.",
                fix="Choose a GPU; for toy weights set `cpu = true` of the install in config.toml.",
            )
