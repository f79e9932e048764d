"""LoRAs that a training begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.sockets import Lora
from musubi_nodes.families.training.inputs import TrainerInputs


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
