"""Inputs and outputs of LoRA trainers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, create_model, field_validator

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.datasets.caches import CacheKind
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.models.node import Models
from musubi_nodes.families.node import NodeInputs, NodeOutputs
from musubi_nodes.families.script import ScriptInputs
from musubi_nodes.families.settings import Network, Optimizer, Sampling, Training
from musubi_nodes.families.sockets import Cache, Lora, Run, cache_socket
from musubi_nodes.file_names import WEIGHTS, plain_name

ADVANCED = Widget(advanced=True)


class TrainerInputs(ScriptInputs):
    """Inputs of every LoRA trainer; a family adds ``models``."""

    if TYPE_CHECKING:
        models: Models
        latent_cache: Cache
        text_cache: Cache

    training: Training | None = Field(None, description="Length, learning rate, saving.")
    network: Network | None = Field(
        None, description="LoRA, LoHa or LoKr, and its rank. Not connected: LoRA of rank 32."
    )
    optimizer: Optimizer | None = Field(None, description="Optimizer and scheduler.")
    sampling: Sampling | None = Field(None, description="Timesteps, and samples during training.")
    network_weights: Lora | None = Field(None, description="A LoRA to continue training.")
    base_weights: Lora | None = Field(None, description="LoRAs that are merged into the model before training.")
    output_name: str = Field("my_lora", description="Name of the LoRA file in models/loras/musubi.", examples=["other"])
    num_processes: Annotated[int, ADVANCED] = Field(
        1, ge=1, le=64, description="Processes of accelerate: one for each GPU that trains together."
    )
    num_machines: Annotated[int, ADVANCED] = Field(1, ge=1, le=64, description="Machines that train together.")
    machine_rank: Annotated[int, ADVANCED] = Field(0, ge=0, le=63, description="Number of this machine; 0 leads.")
    main_process_ip: Annotated[str, ADVANCED] = Field("", description="Address of machine 0, for several machines.")
    main_process_port: Annotated[int | None, ADVANCED] = Field(
        None, ge=1, le=65535, description="Port of machine 0. 0: accelerate's own."
    )
    ddp_timeout: Annotated[int | None, Option(), ADVANCED, SameResult()] = Field(
        None, ge=1, le=100_000, description="Minutes that processes wait for each other. 0: the default."
    )
    ddp_gradient_as_bucket_view: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Several GPUs: share the memory of gradients."
    )
    ddp_static_graph: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Several GPUs: the graph never changes."
    )

    train_again: Annotated[bool, Widget(advanced=True, added=1), SameResult()] = Field(
        False,
        description="Train even if the same LoRA was trained before; otherwise that one is reused. Starts at step 0, "
        "also with resume = auto, unless resume names a state.",
    )

    @field_validator("output_name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name, *WEIGHTS)


def with_caches(inputs: type[BaseModel], family: str) -> type[BaseModel]:
    """Add the sockets of the family's caches after ``models``."""
    kinds: tuple[CacheKind, ...] = ("latent", "text")
    sockets: dict[str, Any] = {f"{kind}_cache": (cache_socket(family, kind), ...) for kind in kinds}
    first = create_model("First", __base__=NodeInputs, models=(Any, ...), **sockets)
    return create_model("Inputs", __base__=(inputs, first))


class TrainerOutputs(NodeOutputs):
    lora: Lora = Field(description="The trained LoRA, already in models/loras/musubi.")
    run: Run = Field(description="The run folder: log, metrics, checkpoints, samples.")


def starting_loras(inputs: TrainerInputs) -> Sequence[Lora]:
    first = inputs.network_weights.chain() if inputs.network_weights else ()
    if len(first) > 1:
        raise MusubiError(
            "lora-chain-not-allowed",
            "network_weights takes one LoRA, not a chain",
            fix="Use base_weights to merge several.",
        )
    return (*first, *(inputs.base_weights.chain() if inputs.base_weights else ()))


def starting_weights(inputs: TrainerInputs) -> dict[str, Any]:
    merged = inputs.base_weights.chain() if inputs.base_weights else ()
    return {
        "network_weights": str(inputs.network_weights.path) if inputs.network_weights else None,
        "base_weights": [lora.path for lora in merged],
        "base_weights_multiplier": [lora.multiplier for lora in merged],
    }
