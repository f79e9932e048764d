"""Base of nodes that run LoRA scripts on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Annotated, Any, ClassVar

from pydantic import Field
from typing_extensions import TypeVar

from musubi_nodes.commands.option import SameResult
from musubi_nodes.families.context import Context
from musubi_nodes.families.execution import execute
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import InstallName, Widget
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.script_inputs import RunInputs
from musubi_nodes.families.sockets import Run
from musubi_nodes.file_names import WEIGHTS, checked_name
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Outcome

NO_FAMILY = Family(key="", title="LoRA tools", architecture="", network_module="")


class ToolInputs(RunInputs):
    install: Annotated[str | None, InstallName(), Widget(advanced=True, last=2), SameResult()] = Field(
        None, description="Which configured musubi-tuner runs it. default: the server's own choice."
    )


ToolT = TypeVar("ToolT", bound=ToolInputs, default=Any)


class ToolNode(ScriptNode[ToolT]):
    """Runs one of the LoRA scripts."""

    category: ClassVar[str] = "MusubiTuner/LoRA"
    output_node: ClassVar[bool] = True
    family: ClassVar[Family] = NO_FAMILY

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        super().validate(values, linked, context)
        if "output_name" not in linked and values["output_name"]:
            checked_name(values["output_name"], "output_name", *WEIGHTS)

    def install_name(self, inputs: ToolT) -> str | None:
        return str(inputs.install) if inputs.install else None

    def run_tool(
        self,
        inputs: ToolT,
        context: Context,
        folder: RunFolder,
        runner_options: Mapping[str, Any],
        accept: Callable[[Outcome], None],
    ) -> Run:
        execute(self, self.plan(inputs, context), context, folder, runner_options, accept=accept)
        return Run(folder=folder.path)
