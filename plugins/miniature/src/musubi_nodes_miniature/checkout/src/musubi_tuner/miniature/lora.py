"""LoRA on the toy DiT: creation, its file's tensors, loading, and merging into weights."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from .dit import ToyDiT
from .tape import LowRank
from .tensors import Array, Tensor

LOG = logging.getLogger("musubi_tuner.networks.lora")
MERGING = logging.getLogger("musubi_tuner.utils.lora_utils")
PREFIX = "lora_unet_"
DEFAULT_RANK = 4


def lora_name(module: str) -> str:
    """``blocks.0.self_attn.q`` to ``lora_unet_blocks_0_self_attn_q``."""
    return PREFIX + module.replace(".", "_")


@dataclass
class LoRANetwork:
    """The trained low-rank pairs by module. All values lie in two flat arrays, so that the optimizer is one line."""

    pairs: dict[str, LowRank]
    alpha: float
    values: Array
    grads: Array

    @classmethod
    def create(
        cls, dit: ToyDiT, rank: int | None, alpha: float, random: np.random.Generator, log: logging.Logger = LOG
    ) -> LoRANetwork:
        """A new network: down uniform as upstream's Linear, up zero. Rank 0 has no modules and is refused."""
        rank = DEFAULT_RANK if rank is None else rank
        modules = dit.linear_modules()
        log.info(f"create LoRA network. base dim (rank): {rank}, alpha: {_plain(alpha)}")
        log.info("neuron dropout: p=None, rank dropout: p=None, module dropout: p=None")
        log.info(f"create LoRA for U-Net/DiT: {len(modules) if rank else 0} modules.")
        if not rank:
            refuse_network(log)
        shapes = {name: dit.weights[f"{name}.weight"].shape for name in modules}
        values = np.zeros(sum(rank * (out + into) for out, into in shapes.values()), np.float32)
        network = cls({}, alpha, values, np.zeros_like(values))
        start = 0
        for name, (out, into) in shapes.items():
            pair = LowRank(*network._views(values, start, rank, out, into), alpha / rank)
            pair.down_grad, pair.up_grad = network._views(network.grads, start, rank, out, into)
            bound = 1 / math.sqrt(into)
            pair.down[:] = random.uniform(-bound, bound, pair.down.shape)
            network.pairs[name] = pair
            start += rank * (out + into)
        log.info(f"enable LoRA for U-Net: {len(modules)} modules")
        return network

    @staticmethod
    def _views(flat: Array, start: int, rank: int, out: int, into: int) -> tuple[Array, Array]:
        middle = start + rank * into
        return flat[start:middle].reshape(rank, into), flat[middle : middle + rank * out].reshape(out, rank)

    def tensors(self, dtype: str = "F32") -> dict[str, Tensor]:
        """The file's tensors in upstream's order: alpha, down, up per module."""
        found = {}
        for module, pair in self.pairs.items():
            name = lora_name(module)
            found[f"{name}.alpha"] = Tensor(np.array(self.alpha, np.float32), dtype)
            found[f"{name}.lora_down.weight"] = Tensor(pair.down, dtype)
            found[f"{name}.lora_up.weight"] = Tensor(pair.up, dtype)
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> str:
        """Take over a file's values; the answer is torch's about missing and unexpected keys."""
        expected = self.tensors()
        for module, pair in self.pairs.items():
            for part, target in (("lora_down", pair.down), ("lora_up", pair.up)):
                tensor = tensors.get(f"{lora_name(module)}.{part}.weight")
                if tensor is not None and tensor.values.shape != target.shape:
                    raise RuntimeError(
                        f"Error(s) in loading state_dict for LoRANetwork:\n\tsize mismatch for"
                        f" {lora_name(module)}.{part}.weight: copying a param with shape torch.Size({tensor.shape})"
                        f" from checkpoint, the shape in current model is torch.Size({list(target.shape)})."
                    )
                if tensor is not None:
                    target[:] = tensor.values
        missing = [name for name in expected if name not in tensors]
        unexpected = [name for name in tensors if name not in expected]
        if not missing and not unexpected:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"

    def limit_norms(self, largest: float) -> tuple[int, float, float]:
        """Scale down modules whose weight norm exceeds ``largest``: how many, and mean and maximum norm after."""
        norms, scaled = [], 0
        for pair in self.pairs.values():
            norm = float(np.linalg.norm(pair.up @ pair.down) * pair.scale)
            if norm > largest:
                pair.down *= math.sqrt(largest / norm)
                pair.up *= math.sqrt(largest / norm)
                norm, scaled = largest, scaled + 1
            norms.append(norm)
        return scaled, sum(norms) / len(norms), max(norms)


def log_of(module: str) -> logging.Logger:
    """The logger of a network module: ``networks.lora`` is a module of its own, the others import the package's."""
    return logging.getLogger(module) if module == "networks.lora" else LOG


def refuse_network(log: logging.Logger) -> NoReturn:
    """What upstream says where a network module fits no module of the DiT."""
    log.info("enable LoRA for U-Net: 0 modules")
    log.error(
        "No LoRA modules. Please check `--network_module` and `--network_args` /"
        " LoRAモジュールがありません。`--network_module`と`--network_args`を確認してください"
    )
    raise RuntimeError("No LoRA modules found")


def _plain(alpha: float) -> str:
    # argparse keeps the default 1 as int, and upstream prints it as such
    return str(alpha)


def filtered(tensors: Mapping[str, Tensor], include: str | None, exclude: str | None) -> dict[str, Tensor]:
    """The keys that the patterns leave, with upstream's log lines."""
    kept = dict(tensors)
    for kind, pattern, wanted in (("include", include, True), ("exclude", exclude, False)):
        if pattern is not None:
            before = len(kept)
            kept = {key: value for key, value in kept.items() if bool(re.search(pattern, key)) is wanted}
            MERGING.info(f"Filtered keys with {kind} pattern {pattern}: {before} -> {len(kept)}")
    if len(kept) != len(tensors):
        MERGING.info(f"Remaining LoRA modules after filtering: {sorted({key.split('.', 1)[0] for key in kept})}")
        if not kept:
            MERGING.warning("No keys left after filtering.")
    return kept


def merge_into(weights: dict[str, Array], lora: Mapping[str, Tensor], multiplier: float) -> set[str]:
    """Add a LoRA to the weights that it names; the answer is the LoRA's keys that no weight took."""
    left = set(lora)
    for key in weights:
        if not key.endswith(".weight"):
            continue
        name = lora_name(key.removesuffix(".weight"))
        down, up = lora.get(f"{name}.lora_down.weight"), lora.get(f"{name}.lora_up.weight")
        if down is None or up is None or weights[key].ndim != 2:
            continue
        if weights[key].shape != (up.shape[0], down.shape[1]):
            raise RuntimeError(
                f"The size of tensor a ({weights[key].shape[1]}) must match the size of tensor b ({down.shape[1]})"
                " at non-singleton dimension 1"
            )
        alpha = lora.get(f"{name}.alpha")
        scale = (float(alpha.values) if alpha else down.shape[0]) / down.shape[0]
        weights[key] = weights[key] + multiplier * scale * (up.values @ down.values).astype(np.float32)
        left -= {f"{name}.lora_down.weight", f"{name}.lora_up.weight", f"{name}.alpha"}
    return left


def padded_multipliers(multipliers: Sequence[float] | None, count: int) -> list[float]:
    """One multiplier per LoRA: missing ones are 1.0, surplus ones are dropped, as upstream."""
    return [*(multipliers or []), *([1.0] * count)][:count]
