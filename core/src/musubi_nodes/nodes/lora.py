"""The node LoRA Select."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import ModelFile
from musubi_nodes.families.lora import lora_of
from musubi_nodes.families.models.files import find_model
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.families.sockets import Lora


class LoRASelect(Node):
    """Chooses a LoRA for a generator or trainer. For several, connect one node to the next through previous."""

    id, title, category = "MusubiTuner_LoRASelect", "LoRA Select", "MusubiTuner/LoRA"
    search = ("load lora", "lora loader", "weights", "strength", "multiplier", "LoRA読み込み", "強さ")
    resolves_statically = True

    class Inputs(NodeInputs):
        previous: Lora | None = Field(None, description="LoRAs that come before this one.")
        lora: Annotated[str, ModelFile("loras")] = Field(description="A file of models/loras.")
        multiplier: float = Field(1.0, ge=-10.0, le=10.0, description="Its strength; 1 is as trained.")
        noise: Literal["both", "high", "low"] = Field("both", description="Wan 2.2: which of the two models it is for.")

    class Outputs(NodeOutputs):
        lora: Lora = Field(description="The chain with this LoRA at its end.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "lora" not in linked:
            _look(values["lora"], context)

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        chosen = {name: getattr(inputs, name) for name in ("multiplier", "noise", "previous")}
        return self.Outputs(lora=_look(inputs.lora, context).model_copy(update=chosen))


def _look(name: str, context: Context) -> Lora:
    found = lora_of(find_model(context.host, "loras", name))
    if not found.format:
        raise MusubiError("file-not-lora", f"{name} is no LoRA", fix="Choose another file.")
    check_numbers(found.path, "chosen LoRA", glance=context.preflight)
    return found
