"""ComfyUI's primitive nodes (nodes_primitive.py, 0.3.64 and 0.33)."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Native
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs


class Constant(Node):
    """Hands its value on."""

    category = "terminal"
    resolves_statically = True

    def run(self, inputs: Any, context: Context) -> BaseModel:
        return self.Outputs(value=inputs.value)


def _constant(id_: str, title: str, kind: type, socket: str) -> type[Constant]:
    field = Field(description="The value.")
    if kind in (int, float):
        field = Field(description="The value.", ge=-sys.maxsize, le=sys.maxsize)
    inputs = create_model("Inputs", __base__=NodeInputs, value=(kind, field))
    given = Annotated[Any, Native(socket)]
    outputs = create_model("Outputs", __base__=NodeOutputs, value=(given, Field(description="The value.")))
    return type(id_, (Constant,), {"id": id_, "title": title, "Inputs": inputs, "Outputs": outputs})


CONSTANTS: dict[str, type[Node]] = {
    id_: _constant(id_, title, kind, socket)
    for id_, title, kind, socket in (
        ("PrimitiveString", "Text", str, "STRING"),
        ("PrimitiveStringMultiline", "Text (Multiline)", str, "STRING"),
        ("PrimitiveInt", "Int", int, "INT"),
        ("PrimitiveFloat", "Float", float, "FLOAT"),
        ("PrimitiveBoolean", "Boolean", bool, "BOOLEAN"),
    )
}
