"""Inputs and outputs of trainers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, create_model, field_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.datasets.scan.caches import CacheKind
from musubi_nodes.families.fields import Settings, Widget, socket_class
from musubi_nodes.families.node import NodeInputs
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.settings import Optimizer, Sampling, Training
from musubi_nodes.families.sockets import Cache, cache_socket
from musubi_nodes.file_names import WEIGHTS, plain_name

ADVANCED = Widget(advanced=True)


class TrainerInputs(ScriptInputs):
    """Inputs of every trainer; a family adds ``models``."""

    if TYPE_CHECKING:
        latent_cache: Cache
        text_cache: Cache

    training: Training | None = Field(None, description="Length, learning rate, saving.")
    optimizer: Optimizer | None = Field(None, description="Optimizer and scheduler.")
    sampling: Sampling | None = Field(None, description="Timesteps, and samples during training.")
    output_name: str = Field(description="Name of the file that is made.", examples=["other"])
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
        description="Train even if the same was trained before; otherwise that result is reused. Starts at step 0, "
        "also with resume = auto, unless resume names a state.",
    )

    @field_validator("output_name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name, *WEIGHTS)

    @property
    def file_name(self) -> str:
        """Name of the file that musubi-tuner writes last."""
        return f"{self.output_name}.safetensors"

    def completed(self) -> Self:
        """Replace settings that are not connected by their defaults."""
        kinds = {name: socket_class(field.annotation) for name, field in type(self).model_fields.items()}
        settings = {name: kind for name, kind in kinds.items() if kind and issubclass(kind, Settings)}
        return self.model_copy(update={name: kind() for name, kind in settings.items() if getattr(self, name) is None})


def with_caches(inputs: type[BaseModel], family: str) -> type[BaseModel]:
    """Add the sockets of the family's caches after ``models``."""
    kinds: tuple[CacheKind, ...] = ("latent", "text")
    sockets: dict[str, Any] = {f"{kind}_cache": (cache_socket(family, kind), ...) for kind in kinds}
    first = create_model("First", __base__=NodeInputs, models=(Any, ...), **sockets)
    return create_model("Inputs", __base__=(inputs, first))
