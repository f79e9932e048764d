"""Prompts that travel along a wire: for the samples of a training, and for many videos from one generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, finding
from musubi_nodes.families.fields import Native, Socket, Widget, fields_of
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.prompt_lines import lines_of, said
from musubi_nodes.families.sizes import SideOrNone

ADVANCED = Widget(advanced=True)
MOST = 5_000
"""Prompts of one list."""
PICTURE_FIELDS = ("image", "control_image")
"""The fields of a prompt that hold pictures."""
OPEN = "0: as the node that takes the prompt says."


class Prompt(NodeInputs):
    """One prompt. ``None`` means "as the node that takes it says"."""

    image: Annotated[Any, Native("IMAGE")] = Field(None, description="A first frame, for image to video.")
    control_image: Annotated[Any, Native("IMAGE")] = Field(
        None, description="Control pictures, in order, for models that edit pictures or take references."
    )
    prompt: Annotated[str, Widget(multiline=True)] = Field("", description="What the picture or video shows.")
    negative_prompt: Annotated[str, Widget(multiline=True)] = Field(
        "", description="What it should not show. Samples of a training use guidance only with one."
    )
    width: SideOrNone = Field(None, ge=16, le=4096, description=f"Width in pixels. {OPEN}")
    height: SideOrNone = Field(None, ge=16, le=4096, description=f"Height in pixels. {OPEN}")
    frames: int | None = Field(None, ge=1, le=20_000, description=f"Frames; 1 makes a picture. {OPEN}")
    steps: int | None = Field(None, ge=1, le=1000, description=f"Denoising steps. {OPEN}")
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, description="The seed. -1: as the node that takes the prompt says."
    )
    guidance_scale: Annotated[float | None, ADVANCED] = Field(
        None, ge=0.0, le=100.0, description="Guidance of distilled models (HunyuanVideo, FramePack). -1: theirs."
    )
    cfg_scale: Annotated[float | None, ADVANCED] = Field(
        None, ge=0.0, le=100.0, description="How strictly the prompt is followed. -1: theirs; 1 is off."
    )
    flow_shift: Annotated[float | None, ADVANCED] = Field(
        None, ge=0.0, le=100.0, description="Shift of the timesteps. -1: the model's own."
    )
    lora_multiplier: Annotated[float | None, Widget(advanced=True, unset=-11.0)] = Field(
        None, ge=-10.0, le=10.0, description="Generators only: strength of the LoRAs for this prompt. -11: unchanged."
    )


def said_prompt(values: Mapping[str, Any]) -> Prompt:
    """A prompt of what a line or a row says. The number that the widget shows for "not said", such as seed -1, says
    nothing there as well."""
    unset = {spec.name: spec.unset for spec in fields_of(Prompt)}
    return Prompt(**{name: value for name, value in values.items() if not _is_number(value, unset.get(name))})


def _is_number(value: Any, number: float | None) -> bool:
    try:
        return number is not None and isinstance(value, str | int | float) and float(value) == float(number)
    except (ValueError, OverflowError):
        return False


def written_prompts(text: str, options: Mapping[str, str]) -> list[Prompt]:
    """One prompt a line, with musubi-tuner's ``options`` behind it; an InvalidValue that names the line."""
    found = []
    for count, (number, line) in enumerate(lines_of(text), 1):
        check_count(count)
        try:
            found.append(said_prompt(said(line, options)))
        except (ValidationError, InvalidValue) as error:
            wrong = prompt_problem(error)
            raise InvalidValue(wrong.code, f"line {number}: {wrong}") from error
    return found


def prompt_problem(error: ValidationError | InvalidValue) -> Problem:
    """What is wrong with a prompt, with the field that it is about."""
    if isinstance(error, InvalidValue):
        return Problem(error.code, str(error))
    first = error.errors()[0]
    found = finding(first)
    return Problem(found.code, f"{'.'.join(map(str, first['loc']))} {found}")


def check_count(count: int) -> None:
    """Raise where one list has more prompts than anybody waits for."""
    if count > MOST:
        raise MusubiError("prompts-too-many", f"the list has more than {MOST} prompts", fix="Split it into several.")


class Prompts(Socket):
    """Prompts in their order. ``workers``: GPUs that work side by side; ``per_start``: how many share a start of the
    models; ``strict``: one that fails ends all."""

    socket: ClassVar[str] = "MUSUBI_PROMPTS"

    items: tuple[Prompt, ...]
    workers: int = 1
    per_start: int = 8
    strict: bool = False

    def __str__(self) -> str:
        """What a preview of any value shows: thousands of prompts would fill the page and its history."""
        return f"{len(self.items)} prompts"
