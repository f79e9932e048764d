"""Chooses a LoRA file; several are a chain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import ModelFile
from musubi_nodes.families.lora import lora_family, lora_format
from musubi_nodes.families.models.files import find_model, stamp
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Lora
from musubi_nodes.weights import read_header


class LoRASelect(Node):
    """Chooses a LoRA for a generator or trainer. For several, connect one node to the next through previous."""

    id, title, category = "MusubiTuner_LoRASelect", "LoRA Select", "MusubiTuner/LoRA"

    class Inputs(NodeInputs):
        previous: Lora | None = Field(None, description="LoRAs that come before this one.")
        lora: Annotated[str, ModelFile("loras")] = Field(description="A file of models/loras.")
        multiplier: float = Field(1.0, ge=-10.0, le=10.0, description="Its strength; 1 is as trained.")
        noise: Literal["both", "high", "low"] = Field("both", description="Wan 2.2: for which of the two models it is.")

    class Outputs(NodeOutputs):
        lora: Lora = Field(description="The chain with this LoRA at its end.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        path = find_model(context.host, "loras", inputs.lora)
        header = read_header(path)
        found = lora_format(header)
        if not found:
            raise MusubiError(f"{inputs.lora} is no LoRA", fix="Choose another file.")
        lora = Lora(
            path=path,
            multiplier=inputs.multiplier,
            noise=inputs.noise,
            family=lora_family(header),
            format=found,
            previous=inputs.previous,
        )
        return self.Outputs(lora=lora)

    def changed(self, inputs: Any, context: Context) -> str:
        return stamp(find_model(context.host, "loras", inputs.lora))
