"""Base of nodes that run a script of musubi-tuner."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from musubi_nodes.commands.argv import argv
from musubi_nodes.commands.check import accepted_arguments, missing_required
from musubi_nodes.commands.code import code_of
from musubi_nodes.commands.extra import extra_arguments, parse_extra
from musubi_nodes.commands.option import Argument, SameResult, arguments_from, marker
from musubi_nodes.commands.option_owners import IMPORTABLE
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.commands.tables import Table
from musubi_nodes.config import cache_folder
from musubi_nodes.errors import MusubiError, OutOfGpuMemory, OutOfMainMemory, Unresolved
from musubi_nodes.families.arguments import memory_arguments, own_arguments, spelled, with_defaults
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.fields import ForVersions, Widget
from musubi_nodes.families.memory.plans import sparing, stronger
from musubi_nodes.families.memory.possible import check_swap
from musubi_nodes.families.node import Node, NodeInputs
from musubi_nodes.families.numbers_of import check_given
from musubi_nodes.families.resolved_inputs import resolved_inputs
from musubi_nodes.families.result_key import key_of, named_files
from musubi_nodes.families.settings import Memory
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.runs.hardware.devices import device_queue, gpus
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment, joined
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Command, Outcome, run

T = TypeVar("T")

OUT_OF_MEMORY = (OutOfGpuMemory, OutOfMainMemory)

DEVICES = Literal["auto", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cpu"]


class ScriptInputs(NodeInputs):
    memory: Annotated[Memory | None, SameResult()] = Field(
        None, description="Memory settings. If not connected, no memory is saved."
    )
    device: Annotated[DEVICES, Widget(advanced=True, last=2), SameResult()] = Field(
        "auto", description="Which GPU runs it. auto: the first one."
    )
    extra_options: Annotated[str, Widget(advanced=True, multiline=True, last=3)] = Field(
        "",
        description="Further options of the script as TOML lines (name = value), such as new ones of musubi-tuner.",
        examples=[""],
    )


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
    refused_options: ClassVar[Mapping[str, str]] = {}
    """Options that can't work, with reasons."""

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
        yield from extra_arguments(inputs.extra_options, self.script, known, version, self.refused_options)

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

    def command_line(
        self, inputs: Any, known: Table, version: str, runner_options: Mapping[str, Any]
    ) -> tuple[list[str], list[Argument]]:
        arguments = [*self.arguments(inputs, known, version), *arguments_from(runner_options, "the runner")]
        every = with_defaults(arguments, self.defaults())
        sent = accepted_arguments(every, self.script, known, version, {*named_files(inputs)})
        if missing := missing_required(sent, known):
            names = ", ".join(f"--{name}" for name in missing)
            raise MusubiError(
                "option-missing", f"{self.title}: {self.script} needs {names}", fix="Choose a value in the node."
            )
        return argv(sent, known), sent

    def key(self, inputs: Any, install: Install, runner_options: Mapping[str, Any], *facts: str) -> str:
        known = parser_options(install, self.script)
        _, sent = self.command_line(inputs, known, install.version, runner_options)
        counted = [each for each in sent if not each.same_result]
        modules = [str(each.value) for each in sent if each.name in IMPORTABLE]
        options = [(each.name, each.value) for each in counted]
        return key_of(options, self.program(install, modules), self.counted(inputs), facts)

    def program(self, install: Install, modules: Sequence[str] = ()) -> str:
        """Return the state of Python and the script's code."""
        return f"{install.python} {code_of(install, install.script(self.script), modules)}"

    def counted(self, inputs: Any) -> Any:
        """Return the inputs that count besides options."""
        return inputs

    def launcher(self, inputs: Any, install: Install, folder: Path) -> list[str]:
        """Return the words before the script."""
        return [str(install.python)]

    def visible_gpus(self, inputs: Any, install: Install) -> tuple[str, ...] | None:
        """Return the GPUs to use, ``None`` for an install without."""
        device, count = self.device(inputs), self.processes(inputs)
        if install.cpu and device == "auto":
            return None
        if install.cpu and device.startswith("cuda:"):
            first = int(device.removeprefix("cuda:"))
            return tuple(str(number) for number in range(first, first + count))
        return gpus(device, count, joined(os.environ, install.environment))

    def with_memory(self, inputs: Any, context: Context, attempt: Callable[[Any], T]) -> T:
        """Call ``attempt``, with a stronger memory plan after "out of memory"."""
        retries = inputs.memory.oom_retries if inputs.memory else 0
        tried: list[str] = []
        while True:
            try:
                return attempt(inputs)
            except OUT_OF_MEMORY as error:
                memory = inputs.memory or Memory()
                next_plan = self._next_plan(error, inputs, context)
                if next_plan is None or len(tried) == retries:
                    raise _proposing(error, next_plan, tried) from error
                tried.append(next_plan[1])
                now = {name: value for name, value in next_plan[0] if value != getattr(memory, name)}
                log.warning("%s: out of memory; again, now with %s", self.title, now)
                context.show(text=translate("out of memory; tried again: {plan}", plan=next_plan[1]))
                inputs = inputs.model_copy(update={"memory": next_plan[0]})

    def _next_plan(self, error: MusubiError, inputs: Any, context: Context) -> tuple[Memory, str] | None:
        memory = inputs.memory or Memory()
        known = parser_options(context.services.install(self.install_name(inputs)), self.script)
        if isinstance(error, OutOfMainMemory):
            return sparing(memory, self.family, self.trains, known)
        return stronger(memory, self.family, self.most_blocks_to_swap(inputs), self.trains, known)

    def execute(
        self,
        inputs: Any,
        context: Context,
        install: Install,
        folder: RunFolder,
        runner_options: Mapping[str, Any],
        totals: Sequence[int | None] = (),
        accept: Callable[[Outcome], None] = lambda _: None,
    ) -> Outcome:
        """Build the command, wait for the GPU, and run it."""
        context.progress(Progress("checking"))
        folder.write_progress(Progress("checking"))
        known = parser_options(install, self.script)
        arguments, _ = self.command_line(inputs, known, install.version, runner_options)
        visible = self.visible_gpus(inputs, install)
        secrets = joined(context.services.config.secrets)
        environment = child_environment(install, visible, secrets)
        command = Command(
            script=self.script,
            argv=[*self.launcher(inputs, install, folder.path), str(install.script(self.script)), *arguments],
            cwd=install.root,
            environment=environment,
            secrets=tuple(secrets),
            family=self.family.key,
            totals=totals,
            bar_stage=self.bar_stage,
            passes=self.passes,
            events=Path(runner_options["logging_dir"]) if "logging_dir" in runner_options else None,
        )

        def waiting() -> None:
            context.progress(Progress("waiting for the GPU"))
            context.raise_if_interrupted()

        held = visible or ()
        if held:
            folder.write_progress(Progress("waiting for the GPU"))
        with device_queue(cache_folder() / "locks", held, waiting):
            if held:
                context.host.release_models()
            explainers = context.services.explainers(self.family.key)
            return run(command, folder, context.services.executor(), context, explainers, accept)

    def check_device(self, inputs: Any, install: Install) -> None:
        """Refuse the CPU unless the install allows it."""
        if self.device(inputs) == "cpu" and not install.cpu:
            raise MusubiError(
                "cpu-not-allowed",
                f"{self.title} cannot run on the CPU",
                why="musubi-tuner's model scripts need a CUDA GPU.",
                fix="Choose a GPU; for toy weights set `cpu = true` of the install in config.toml.",
            )


def _proposing(error: MusubiError, next_plan: tuple[Memory, str] | None, tried: Sequence[str]) -> MusubiError:
    if next_plan and tried:
        fix = translate("In the Memory Optimizer set all of that, and {plan}.", plan=next_plan[1])
    elif next_plan:
        advice = "In the Memory Optimizer {plan}. Or set oom_retries there to try this automatically."
        fix = translate(advice, plan=next_plan[1])
    else:
        fix = translate(
            "Use a smaller resolution, fewer frames or a lower rank: no setting of the Memory Optimizer saves more."
        )
    if isinstance(error, OutOfMainMemory):
        fix = f"{translate(error.fix)} {fix}" if next_plan else error.fix
    why = error.why
    if tried:
        why = translate("{why} Tried without success: {plans}.", why=translate(error.why), plans="; ".join(tried))
    return error.replace(why=why, fix=fix)
