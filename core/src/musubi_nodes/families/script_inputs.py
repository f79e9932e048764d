"""Inputs of nodes that run a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from musubi_nodes.commands.option import SameResult
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.models.node import Models
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.settings import Memory

DEVICES = Literal["auto", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cpu"]


class RunInputs(NodeInputs):
    """Inputs of every script."""

    extra_options: Annotated[str, Widget(advanced=True, multiline=True, last=3)] = Field(
        "",
        description="Further options of the script as TOML lines (name = value), such as new ones of musubi-tuner.",
        examples=[""],
    )


class ScriptInputs(RunInputs):
    """Inputs of scripts that load models; a family adds ``models``."""

    if TYPE_CHECKING:
        models: Models

    memory: Annotated[Memory | None, SameResult()] = Field(
        None, description="Memory settings. If not connected, no memory is saved."
    )
    device: Annotated[DEVICES, Widget(advanced=True, last=2), SameResult()] = Field(
        "auto", description="Which GPU runs it. auto: the first one."
    )
