"""What generators take and hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.families.fields import Native, Widget
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.prompts import Prompts
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.sizes import Side
from musubi_nodes.families.sockets import Latent, Lora, Run
from musubi_nodes.file_names import MEDIA, WEIGHTS, plain_name


class GeneratorInputs(ScriptInputs):
    """What every generator takes; a family adds ``models`` of its own type and its own inputs."""

    lora: Lora | None = Field(None, description="One LoRA, or a chain of several.")
    latent: Latent | None = Field(None, description="A latent file to decode instead of generating.")
    prompts: Prompts | None = Field(
        None, description="Many prompts instead of the one below, with their own seed, size and steps."
    )
    prompt: Annotated[str, Widget(multiline=True)] = Field("", description="What to generate.")
    negative_prompt: Annotated[str, Option(), Widget(multiline=True)] = Field(
        "", description="What to avoid. Empty: the model's default."
    )
    width: Side = Field(832, ge=16, le=4096, description="Width in pixels.")
    height: Side = Field(480, ge=16, le=4096, description="Height in pixels.")
    seed: Annotated[int, Option(), Widget(seed=True)] = Field(
        1, ge=0, le=2**32 - 1, description="The same seed gives the same result."
    )
    filename_prefix: Annotated[str, Widget(last=1), SameResult()] = Field(
        "video", description="Begin of the file names in output/musubi.", examples=["other"]
    )
    if TYPE_CHECKING:
        output_type: str

    @field_validator("filename_prefix")
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name, *MEDIA, *WEIGHTS)


class VideoGeneratorInputs(GeneratorInputs):
    """What every generator of videos takes."""

    output_type: Annotated[Literal["video", "images", "latent", "both", "latent_images"], Option(), Widget(last=1)] = (
        Field("video", description="What is written: a video, single images, the latent, or two of them.")
    )


class ImageGeneratorInputs(GeneratorInputs):
    """What every generator of pictures takes."""

    width: Side = Field(1024, ge=16, le=4096, description="Width in pixels.")
    height: Side = Field(1024, ge=16, le=4096, description="Height in pixels.")
    filename_prefix: Annotated[str, Widget(last=1), SameResult()] = Field(
        "picture", description="Begin of the file names in output/musubi.", examples=["other"]
    )
    output_type: Annotated[Literal["images", "latent", "latent_images"], Option(), Widget(last=1)] = Field(
        "images", description="What is written: the picture, the latent, or both."
    )


class ImageGeneratorOutputs(NodeOutputs):
    """The pictures, one entry for each prompt; what nobody uses is not read."""

    images: Annotated[list[Any], Native("IMAGE")] = Field(
        [], description="The picture: [1, height, width, 3], values 0 to 1; several if the model makes several."
    )
    latent: list[Latent] = Field([], description="The latent file, if output_type makes one.")
    run: Run = Field(description="The run folder: log, command, status.")


class VideoGeneratorOutputs(NodeOutputs):
    """The videos, one entry for each prompt; what nobody uses is not decoded."""

    video: Annotated[list[Any], Native("VIDEO")] = Field([], description="The video, if output_type makes one.")
    images: Annotated[list[Any], Native("IMAGE")] = Field(
        [], description="All frames: [frames, height, width, 3], values 0 to 1."
    )
    latent: list[Latent] = Field([], description="The latent file, if output_type makes one.")
    run: Run = Field(description="The run folder: log, command, status.")
