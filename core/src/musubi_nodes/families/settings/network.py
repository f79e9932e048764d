"""NETWORK: LoRA, LoHa or LoKr, and its rank."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option
from musubi_nodes.families.fields import Settings, Widget
from musubi_nodes.families.settings.lines import key_value_lines
from musubi_nodes.families.settings.network_table import check_network

ADVANCED = Widget(advanced=True)


class Network(Settings):
    """Which kind of network is trained, its rank and arguments."""

    socket: ClassVar[str] = "MUSUBI_NETWORK"

    network_type: Literal["LoRA", "LoHa", "LoKr"] = Field(
        "LoRA",
        description="LoRA suits most. LoHa has twice as many parameters at the same rank, LoKr makes smaller files "
        "(musubi-tuner v0.3.0 or newer).",
    )
    network_dim: Annotated[int, Option()] = Field(
        32, ge=1, le=1024, description="Rank. More learns more detail, needs more memory and a larger file."
    )
    network_alpha: Annotated[float, Option()] = Field(
        16.0, ge=0.01, le=4096.0, description="Its strength is alpha / rank. Half of the rank is a good start."
    )
    network_dropout: Annotated[float | None, Option(), ADVANCED] = Field(
        None, ge=0.0, le=0.99, description="Share of its neurons that is dropped in each step. -1: none."
    )
    network_args: Annotated[str, Widget(advanced=True, multiline=True)] = Field(
        "",
        description="Arguments of the network, one key=value per line: loraplus_lr_ratio=4 (LoRA), factor=8 (LoKr).",
        examples=["rank_dropout=0.1"],
    )
    scale_weight_norms: Annotated[float | None, Option(), ADVANCED] = Field(
        None, ge=0.0, le=1000.0, description="Scale down weights whose norm exceeds this (1 is a good start). -1: off."
    )

    @model_validator(mode="after")
    def _reads_its_arguments(self) -> Self:
        for line in key_value_lines(self.network_args):
            check_network(line, self.network_type)
        return self

    def options(self) -> dict[str, Any]:
        return {"network_args": key_value_lines(self.network_args)}
