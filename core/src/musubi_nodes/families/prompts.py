"""Prompts for samples and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from musubi_nodes.errors import InvalidValue, MusubiError, Problem, finding
from musubi_nodes.families.fields import Native, Socket, Widget, fields_of
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.prompt_lines import lines_of, parse_line
from musubi_nodes.families.sizes import SideOrNone

ADVANCED = Widget(advanced=True)
MOST = 5_000
OPEN = "0: as the node that takes the prompt says."


class Prompt(NodeInputs):
    """One prompt; ``None`` is left to the node that uses it."""

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
        None, ge=0.0, le=100.0, description="Guidance of distilled models. -1: theirs."
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


def prompt_of(values: Mapping[str, object]) -> Prompt:
    """Build a prompt; numbers for "unset" become ``None``."""
    unset = {spec.name: spec.unset for spec in fields_of(Prompt)}
    return Prompt(**{name: value for name, value in values.items() if not _is_number(value, unset.get(name))})


def _is_number(value: object, number: float | None) -> bool:
    try:
        return number is not None and isinstance(value, str | int | float) and float(value) == float(number)
    except (ValueError, OverflowError):
        return False


def written_prompts(text: str, options: Mapping[str, str]) -> list[Prompt]:
    """Parse one prompt per line."""
    found = []
    for count, (number, line) in enumerate(lines_of(text), 1):
        check_count(count)
        try:
            found.append(prompt_of(parse_line(line, options)))
        except (ValidationError, InvalidValue) as error:
            wrong = prompt_problem(error)
            raise InvalidValue(wrong.code, f"line {number}: {wrong}") from error
    return found


def prompt_problem(error: ValidationError | InvalidValue | MusubiError) -> Problem:
    if not isinstance(error, ValidationError):
        return Problem(error.code, error.what if isinstance(error, MusubiError) else str(error))
    first = error.errors()[0]
    found = finding(first)
    return Problem(found.code, f"{'.'.join(map(str, first['loc']))} {str(first['input'])[:60]!r}: {found}")


def check_count(count: int) -> None:
    if count > MOST:
        raise MusubiError("prompts-too-many", f"the list has more than {MOST} prompts", fix="Split it into several.")


class Prompts(Socket):
    """A list of prompts.

    ``workers``: parallel GPUs. ``per_start``: prompts per invocation. ``strict``: the first error ends all.
    """

    socket: ClassVar[str] = "MUSUBI_PROMPTS"

    items: tuple[Prompt, ...]
    workers: int = 1
    per_start: int = 8
    strict: bool = False

    def __str__(self) -> str:
        """Stay short, because previews show it."""
        return f"{len(self.items)} prompts"
