"""Base of LoRA trainer nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from typing_extensions import TypeVar

from musubi_nodes.commands.option import Argument, arguments_from
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.arguments import settings_arguments
from musubi_nodes.families.context import Context
from musubi_nodes.families.lora import lora_of
from musubi_nodes.families.lora_fits import check_begins, check_fits
from musubi_nodes.families.memory.measured import record_estimate
from musubi_nodes.families.memory.shapes import largest
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.product import LORA, Product
from musubi_nodes.families.settings import Memory, Network
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.trainer import Trainer
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.record.folder import RunFolder


class LoRATrainerInputs(TrainerInputs):
    """Inputs of every LoRA trainer; a family adds ``models``."""

    network: Network | None = Field(
        None, description="LoRA, LoHa or LoKr, and its rank. Not connected: LoRA of rank 32."
    )
    network_weights: Lora | None = Field(None, description="A LoRA to continue training.")
    base_weights: Lora | None = Field(None, description="LoRAs that are merged into the model before training.")
    output_name: str = Field("my_lora", description="Name of the LoRA file in models/loras/musubi.", examples=["other"])


class LoRATrainerOutputs(NodeOutputs):
    lora: Lora = Field(description="The trained LoRA, already in models/loras/musubi.")
    run: Run = Field(description="The run folder: log, metrics, checkpoints, samples.")


LoRATrainerT = TypeVar("LoRATrainerT", bound=LoRATrainerInputs, default=Any)


class LoRATrainer(Trainer[LoRATrainerT]):
    """Trains a LoRA on finished caches."""

    search: ClassVar[tuple[str, ...]] = (
        "train lora",
        "fine-tune",
        "finetune",
        "training",
        "fit",
        "学習",
        "トレーニング",
    )
    resolved_sockets: ClassVar[frozenset[str]] = Trainer.resolved_sockets | {
        *("network", "network_weights", "base_weights")
    }
    Inputs: ClassVar[type[BaseModel]] = LoRATrainerInputs
    Outputs: ClassVar[type[BaseModel]] = LoRATrainerOutputs
    product: ClassVar[Product] = LORA
    refused_options: ClassVar[dict[str, str]] = {
        "dim_from_weights": "it fails (TypeError, v0.3.4): connect the LoRA to network_weights instead"
    }

    def lora_noise(self, inputs: LoRATrainerT) -> str:
        """Return the LoRA's model: both, high or low."""
        return "both"

    def fixed_options(self, inputs: LoRATrainerT, install: Install) -> dict[str, Any]:
        return {**super().fixed_options(inputs, install), "network_module": self._module(inputs)}

    def outputs_of(self, inputs: LoRATrainerT, path: Path, complete: bool) -> Mapping[str, Any]:
        return {"lora": lora_of(path).model_copy(update={"noise": self.lora_noise(inputs), "complete": complete})}

    def record_memory(self, inputs: LoRATrainerT, folder: RunFolder) -> None:
        if size := inputs.models.dit_size:
            rank = (inputs.network or Network()).network_dim
            shape = largest(inputs.latent_cache.dataset.config, size, rank=rank)
            record_estimate(folder, self.family.key, size, shape, inputs.memory or Memory())

    def checks(self, context: Context) -> Iterator[Callable[[LoRATrainerT], None]]:
        yield from super().checks(context)
        yield self._check_loras
        yield partial(self._check_network, context=context)

    def _check_loras(self, inputs: LoRATrainerT) -> None:
        for lora in _starting_loras(inputs):
            check_fits(lora.path, Path(inputs.models.main_dit))
        if inputs.network_weights:
            check_begins(inputs.network_weights.path, inputs.network or Network())

    def _check_network(self, inputs: LoRATrainerT, context: Context) -> None:
        """Refuse a kind of network that the install is too old for."""
        chosen, module = (inputs.network or Network()).network_type, self._module(inputs)
        install = context.services.install(self.install_name(inputs))
        if chosen != "LoRA" and install.find_script(f"{module.replace('.', '/')}.py") is None:
            raise MusubiError(
                "network-missing",
                f"musubi-tuner {install.release} at {install.root} cannot train a {chosen}",
                fix="Update it to v0.3.0 or newer, or set network_type of Network Config to LoRA.",
            )

    def _module(self, inputs: LoRATrainerT) -> str:
        return self.family.module_of((inputs.network or Network()).network_type)

    def arguments(self, inputs: LoRATrainerT, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        yield from settings_arguments(inputs.network or Network(), "the network settings")
        yield from arguments_from(_starting_weights(inputs), self.title)


def _starting_loras(inputs: LoRATrainerInputs) -> Sequence[Lora]:
    first = inputs.network_weights.chain() if inputs.network_weights else ()
    if len(first) > 1:
        raise MusubiError(
            "lora-chain-not-allowed",
            "network_weights takes one LoRA, not a chain",
            fix="Use base_weights to merge several.",
        )
    return (*first, *(inputs.base_weights.chain() if inputs.base_weights else ()))


def _starting_weights(inputs: LoRATrainerInputs) -> dict[str, Any]:
    merged = inputs.base_weights.chain() if inputs.base_weights else ()
    return {
        "network_weights": str(inputs.network_weights.path) if inputs.network_weights else None,
        "base_weights": [lora.path for lora in merged],
        "base_weights_multiplier": [lora.multiplier for lora in merged],
    }
