"""AdamW on one flat array, and the names and refusals that go with ``--optimizer_type``."""

from __future__ import annotations

import argparse
import ast
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from .tensors import Array

LOG = logging.getLogger("musubi_tuner.training.trainer_base")

TOY_RATE = 40.0
"""A toy of 32 channels needs larger steps than 14 billion weights: ``--learning_rate`` is multiplied by this."""

TORCH_NAMES = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adamax",
    "AdamW",
    "ASGD",
    "LBFGS",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "SparseAdam",
]


def arguments(pairs: list[str] | None) -> dict[str, Any]:
    """``key=value`` texts as Python values; upstream's exceptions where one is neither."""
    found = {}
    for pair in pairs or []:
        key, value = pair.split("=")
        found[key] = ast.literal_eval(value)
    return found


def optimizer_name(args: argparse.Namespace) -> str:
    """The name in the metadata. Whatever is chosen, the arithmetic is AdamW; nothing is imported by name."""
    settings = arguments(args.optimizer_args)
    kind = args.optimizer_type
    if kind.lower().endswith("8bit") and find_spec("bitsandbytes") is None:
        raise ImportError("No bitsandbytes / bitsandbytesがインストールされていないようです")
    if kind.lower() == "adamw8bit":
        LOG.info(f"use 8-bit AdamW optimizer | {settings}")
        name = "bitsandbytes.optim.adamw.AdamW8bit"
    elif kind.lower() == "adamw":
        LOG.info(f"use AdamW optimizer | {settings}")
        name = "torch.optim.adamw.AdamW"
    elif kind.lower() == "adafactor":
        LOG.info(f"use Adafactor optimizer | {settings}")
        name = "transformers.optimization.Adafactor"
    else:
        LOG.info(f"use {kind} | {settings}")
        name = _other_name(kind)
    return name + (f"({','.join(f'{key}={value}' for key, value in settings.items())})" if settings else "")


def _other_name(kind: str) -> str:
    library = kind.split(".")[0]
    if "." not in kind:
        if kind not in TORCH_NAMES:
            raise AttributeError(f"module 'torch.optim' has no attribute '{kind}'")
        return f"torch.optim.{kind.lower()}.{kind}"
    if library != "torch" and find_spec(library) is None:
        raise ModuleNotFoundError(f"No module named '{library}'")
    return kind


@dataclass
class AdamW:
    """Decoupled weight decay; ``rates`` multiplies the step of each value (LoRA+)."""

    values: Array
    rates: Array | float = 1.0
    decay: float = 0.01
    step_count: int = 0

    def __post_init__(self) -> None:
        self.mean, self.square = np.zeros_like(self.values), np.zeros_like(self.values)

    def step(self, grads: Array, learning_rate: float) -> None:
        """One update in place. A learning rate beyond reason overflows to NaN and goes on, as upstream does."""
        self.step_count += 1
        rate = np.float32(learning_rate * TOY_RATE)
        self.mean += 0.1 * (grads - self.mean)
        self.square += 0.001 * (grads**2 - self.square)
        mean = self.mean / (1 - 0.9**self.step_count)
        root = np.sqrt(self.square / (1 - 0.999**self.step_count)) + 1e-8
        self.values *= 1 - np.float32(learning_rate * self.decay)
        self.values -= rate * self.rates * mean / root


def clip_norm(grads: Array, largest: float) -> None:
    """Scale the gradient down to the norm ``largest``; 0 leaves it alone."""
    norm = float(np.linalg.norm(grads))
    if largest and norm > largest:
        grads *= largest / norm


def tell_swap(args: argparse.Namespace) -> None:
    """Say that blocks are swapped, as the shared trainer does."""
    LOG.info(
        f"enable swap {args.blocks_to_swap} blocks to CPU from device: cpu, use pinned memory:"
        f" {args.use_pinned_memory_for_block_swap}, H2D-only: {args.block_swap_h2d_only}"
    )
