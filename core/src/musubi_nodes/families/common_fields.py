"""Inputs that many families declare alike."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from musubi_nodes.commands.option import Option
from musubi_nodes.families.fields import SamplePicture, Widget

ADVANCED = Widget(advanced=True)

Steps = Annotated[int, Option(), Field(ge=1, le=1000)]
ShiftBySize = Annotated[
    float | None,
    Option(),
    Field(ge=0.0, le=100.0, description="Shift of the timesteps. -1: by the picture's size."),
]
Lycoris = Annotated[
    bool,
    Option(),
    ADVANCED,
    Field(description="Use LyCORIS for the LoRA; musubi-tuner's environment needs the package."),
]
NoMetadata = Annotated[bool, Option(), ADVANCED, Field(description="Leave the settings out of the latent file.")]
SampleControl = Annotated[
    Any,
    SamplePicture("control_image"),
    Field(description="Control pictures of the samples whose prompts bring none."),
]
