"""Fine-tuning scripts: what low-rank pairs learn is merged into the weights that are saved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

from .dit import ToyDiT
from .families import Family
from .lora import LoRANetwork, merge_into
from .optimizer import LOG
from .tensors import Array, Tensor
from .training import Training
from .training_args import check, with_config_file


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Train a whole model."""
    args = with_config_file(args, parser)
    check(args, family)
    if args.fp8_base or args.fp8_scaled:
        LOG.warning("FP8 training is not supported for fine-tuning. Set --fp8-base or --fp8-scaled to False.")
        args.fp8_base = args.fp8_scaled = False
    assert not args.full_bf16 or args.mixed_precision == "bf16", "full_bf16 requires mixed precision='bf16'"
    args.save_precision = "bf16" if args.full_bf16 else None
    FullTraining(args, family).run()


@dataclass
class WholeModel(LoRANetwork):
    """The pairs of a DiT that looks from outside as if its own weights were trained."""

    weights: dict[str, Array] = field(default_factory=dict)

    def tensors(self, dtype: str = "F32") -> dict[str, Tensor]:
        merged = dict(self.weights)
        merge_into(merged, super().tensors(), 1.0)
        return {name: Tensor(values, dtype) for name, values in merged.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> str:
        self.weights |= {name: tensor.values for name, tensor in tensors.items()}
        for pair in self.pairs.values():
            pair.up[:] = 0
        return "<All keys matched successfully>"


class FullTraining(Training):
    """The same order of lines without a network."""

    def _create_network(self) -> LoRANetwork:
        dit: ToyDiT = self.denoisers.low
        pairs = LoRANetwork.create(dit, None, 4.0, self.random)
        dit.network = pairs.pairs
        return WholeModel(pairs.pairs, pairs.alpha, pairs.values, pairs.grads, dit.weights)
