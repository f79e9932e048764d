"""Base of nodes that run a script of musubi-tuner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from typing_extensions import TypeVar

from musubi_nodes.commands.check import accepted_arguments
from musubi_nodes.commands.extra import extra_arguments, parse_extra
from musubi_nodes.commands.option import Argument, arguments_from
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import Unresolved
from musubi_nodes.families.arguments import own_arguments, with_defaults
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.input_files import uploads_of
from musubi_nodes.families.node import Node
from musubi_nodes.families.numbers_of import check_given
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.resolved_inputs import resolved_inputs
from musubi_nodes.families.result_key import named_files
from musubi_nodes.families.script_inputs import RunInputs
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
RunT = TypeVar("RunT", bound=RunInputs, default=Any)


class ScriptNode(Node[RunT]):
    """Runs a script of musubi-tuner."""

    family: ClassVar[Family]
    script: ClassVar[str]
    script_since: ClassVar[str] = ""
    """First release with the script, if no stored table has it."""
    bar_stage: ClassVar[str] = "working"
    passes: ClassVar[int] = 1
    refused_options: ClassVar[dict[str, str]] = {}
    """Options that can't work, with reasons, beside the family's."""

    def computed_options(self, inputs: RunT) -> Mapping[str, Any]:
        return {}

    def arguments(self, inputs: RunT, known: Table, version: str) -> Iterator[Argument]:
        yield from own_arguments(inputs, self.title)
        yield from arguments_from(self.computed_options(inputs), self.title, self.Inputs)
        yield from extra_arguments(
            inputs.extra_options, self.script, known, version, self.family.refused_options | self.refused_options
        )

    def device(self, inputs: RunT) -> str:
        return "cpu"

    def processes(self, inputs: RunT) -> int:
        """Return how many of this machine's GPUs it uses."""
        return 1

    def check(self, inputs: RunT, context: Context) -> None:
        """Check the family's own rules, as far as inputs are known."""

    def checks(self, context: Context) -> Iterator[Callable[[RunT], None]]:
        yield partial(self.check, context=context)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        context.services.executor()
        if "extra_options" not in linked:
            parse_extra(values.get("extra_options", ""))
        inputs: Any = resolved_inputs(type(self), values, linked)
        for check in self.checks(context):
            with suppress(Unresolved):
                check(inputs)

    def prepare(self, inputs: RunT, context: Context) -> Install:
        """Check the inputs and return the install."""
        install = context.services.install(self.install_name(inputs))
        check_given(inputs)
        for check in self.checks(context):
            check(inputs)
        return install

    def new_folder(self, context: Context) -> AbstractContextManager[RunFolder]:
        """Open a run folder, whose status records errors."""
        output = context.host.output_folder
        known = {"class": self.id, "family": self.family.key, "node": context.node_id}
        return RunFolder.opened(output, self.id, {**known, **context.queued}, lambda error: error is context.interrupt)

    def install_name(self, inputs: RunT) -> str | None:
        """Return the chosen install, ``None`` for the default."""
        return None

    def defaults(self) -> Mapping[str, Any]:
        return {}

    def plan(self, inputs: RunT, context: Context, options: Mapping[str, Any] = NO_OPTIONS) -> Plan:
        """Return the run's plan; ``options`` are the runner's that don't depend on the run folder."""
        install = context.services.install(self.install_name(inputs))
        plan = self.planned(inputs, parser_options(install, self.script), install.version, options)
        return replace(plan.on(install), counted=[self.counted(inputs), [*uploads_of(self.fields(), inputs, context)]])

    def planned(self, inputs: RunT, known: Table, version: str, options: Mapping[str, Any] = NO_OPTIONS) -> Plan:
        """Return the plan for a script with ``known`` options."""
        arguments = [*self.arguments(inputs, known, version), *arguments_from(options, "the runner")]
        every = with_defaults(arguments, self.defaults())
        accepted = accepted_arguments(every, self.script, known, version, {*named_files(inputs)})
        return Plan(self.title, self.script, known, version, accepted, inputs)

    def counted(self, inputs: RunT) -> Any:
        """Return the inputs that count besides options."""
        return inputs

    def launcher(self, inputs: RunT, install: Install, folder: Path) -> list[str]:
        """Return the words before the script."""
        return [str(install.python)]
