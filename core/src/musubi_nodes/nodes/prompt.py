"""The node Prompt."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.node import Node, NodeOutputs
from musubi_nodes.families.prompts import Prompt, Prompts


class PromptNode(Node):
    """One prompt with its own size, length, steps and seed. For several, connect one node to the next through previous.
    Connect the last one to Sampling Config for samples during training, or to a generator for a batch."""

    id, title, category = "MusubiTuner_Prompt", "Prompt", "MusubiTuner/Generation"
    search = ("text", "caption", "sample prompt", "seed", "プロンプト", "テキスト")
    resolves_statically = True

    class Inputs(Prompt):
        previous: Prompts | None = Field(None, description="The prompts before this one.")

    class Outputs(NodeOutputs):
        prompts: Prompts = Field(description="The chain with this prompt at its end.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "prompt" not in linked:
            _check(values["prompt"])

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        _check(inputs.prompt)
        prompt = Prompt(**{name: getattr(inputs, name) for name in Prompt.model_fields})
        if inputs.previous is None:
            return self.Outputs(prompts=Prompts(items=(prompt,)))
        items = (*inputs.previous.items, prompt)
        return self.Outputs(prompts=inputs.previous.model_copy(update={"items": items}))


def _check(prompt: str) -> None:
    if not prompt.strip():
        raise MusubiError("prompt-empty", "Prompt: the prompt is empty", fix="Describe the picture or video.")
