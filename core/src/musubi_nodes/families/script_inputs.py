"""Inputs of nodes that run a script of a family."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from musubi_nodes.commands.option import SameResult
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.settings import Memory

DEVICES = Literal["auto", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7", "cpu"]


class ScriptInputs(NodeInputs):
    memory: Annotated[Memory | None, SameResult()] = Field(
        None, description="Memory settings. If not connected, no memory is saved."
    )
    device: Annotated[DEVICES, Widget(advanced=True, last=2), SameResult()] = Field(
        "auto", description="Which GPU runs it. auto: the first one."
    )
    extra_options: Annotated[str, Widget(advanced=True, multiline=True, last=3)] = Field(
        "",
        description="Further options of the script as TOML lines (name = value), such as new ones of musubi-tuner.",
        examples=[""],
    )
