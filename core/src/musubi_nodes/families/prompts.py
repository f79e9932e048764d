"""Prompts that travel along a wire: for the samples of a training, and for many videos from one generator."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from musubi_nodes.families.fields import Socket


class Prompt(BaseModel):
    """One prompt. ``None`` means "as the node that takes it says"; sizes are pixels, ``image`` is a first frame.

    ``guidance_scale`` is the embedded guidance of distilled models, ``cfg_scale`` true guidance with a negative prompt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    steps: int | None = None
    seed: int | None = None
    guidance_scale: float | None = None
    cfg_scale: float | None = None
    flow_shift: float | None = None
    lora_multiplier: float | None = None
    image: Any = None


class Prompts(Socket):
    """Prompts in their order."""

    socket: ClassVar[str] = "MUSUBI_PROMPTS"

    items: tuple[Prompt, ...]
