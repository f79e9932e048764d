"""Adds one prompt to a chain."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Native, Widget
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.prompts import Prompt, Prompts
from musubi_nodes.families.sizes import SideOrNone

ADVANCED = Widget(advanced=True)
OPEN = "0: as the node that takes the prompt says."


class PromptNode(Node):
    """One prompt with its own size, length, steps and seed. Several are a chain: connect one node to the next through
    previous. The last one goes to Sampling Config for the samples of a training, or to a generator for many videos."""

    id, title, category = "MusubiTuner_Prompt", "Prompt", "MusubiTuner/Generation"

    class Inputs(NodeInputs):
        previous: Prompts | None = Field(None, description="The prompts before this one.")
        image: Annotated[Any, Native("IMAGE")] = Field(None, description="A first frame, for image to video.")
        prompt: Annotated[str, Widget(multiline=True)] = Field("", description="What the picture or video shows.")
        negative_prompt: Annotated[str, Widget(multiline=True)] = Field(
            "", description="What it should not show. Samples of a training use guidance only with one."
        )
        width: SideOrNone = Field(None, ge=16, le=4096, description=f"Width in pixels. {OPEN}")
        height: SideOrNone = Field(None, ge=16, le=4096, description=f"Height in pixels. {OPEN}")
        frames: int | None = Field(None, ge=1, le=1025, description=f"Frames; 1 makes a picture. {OPEN}")
        steps: int | None = Field(None, ge=1, le=1000, description=f"Denoising steps. {OPEN}")
        seed: int | None = Field(
            None, ge=0, le=2**32 - 1, description="The seed. -1: as the node that takes the prompt says."
        )
        guidance_scale: Annotated[float | None, ADVANCED] = Field(
            None, ge=0.0, le=100.0, description="Guidance of distilled models (HunyuanVideo, FramePack). -1: theirs."
        )
        cfg_scale: Annotated[float | None, ADVANCED] = Field(
            None,
            ge=0.0,
            le=100.0,
            description="How strictly the prompt is followed. -1: theirs; 1 is off.",
        )
        flow_shift: Annotated[float | None, ADVANCED] = Field(
            None, ge=0.0, le=100.0, description="Shift of the timesteps. -1: the model's own."
        )

    class Outputs(NodeOutputs):
        prompts: Prompts = Field(description="The chain with this prompt at its end.")

    def foresee(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "prompt" not in linked:
            _check(values["prompt"])

    def run(self, inputs: Any, context: Context) -> BaseModel:
        _check(inputs.prompt)
        before = inputs.previous.items if inputs.previous else ()
        own = {name: getattr(inputs, name) for name in Prompt.model_fields if hasattr(inputs, name)}
        return self.Outputs(prompts=Prompts(items=(*before, Prompt(**own))))


def _check(prompt: str) -> None:
    if not prompt.strip():
        raise MusubiError("Prompt: the prompt is empty", fix="Say what the picture or video shows.")
