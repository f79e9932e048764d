"""Base of nodes that run LoRA scripts on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Annotated, Any, ClassVar

from pydantic import Field

from musubi_nodes.commands.option import Argument, SameResult
from musubi_nodes.commands.tables import Table
from musubi_nodes.families.context import Context
from musubi_nodes.families.execution import execute
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import InstallName, Widget
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.sockets import Run
from musubi_nodes.file_names import WEIGHTS, checked_name
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Outcome

NO_FAMILY = Family(key="", title="LoRA tools", architecture="", network_module="")


class ToolInputs(NodeInputs):
    install: Annotated[str | None, InstallName(), Widget(advanced=True, last=2), SameResult()] = Field(
        None, description="Which configured musubi-tuner runs it. default: the server's own choice."
    )
    extra_options: Annotated[str, Widget(advanced=True, multiline=True, last=3)] = Field(
        "", description="Further options of the script as TOML lines (name = value).", examples=[""]
    )


class ToolNode(ScriptNode):
    """Runs one of the LoRA scripts."""

    category: ClassVar[str] = "MusubiTuner/LoRA"
    output_node: ClassVar[bool] = True
    family: ClassVar[Family] = NO_FAMILY

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        super().validate(values, linked, context)
        if "output_name" not in linked and values["output_name"]:
            checked_name(values["output_name"], "output_name", *WEIGHTS)

    def install_name(self, inputs: Any) -> str | None:
        return str(inputs.install) if inputs.install else None

    def device(self, inputs: Any) -> str:
        return "cpu"

    def check_device(self, inputs: Any, install: Install) -> None:
        """Do nothing: no GPU is needed."""

    def check_memory(self, inputs: Any) -> None:
        """Do nothing: there is no memory plan."""

    def memory(self, inputs: Any, known: Table) -> Iterator[Argument]:
        return iter(())

    def run_tool(
        self,
        inputs: Any,
        context: Context,
        folder: RunFolder,
        runner_options: Mapping[str, Any],
        accept: Callable[[Outcome], None],
    ) -> Run:
        execute(self, self.plan(inputs, context), context, folder, runner_options, accept=accept)
        return Run(folder=folder.path)
