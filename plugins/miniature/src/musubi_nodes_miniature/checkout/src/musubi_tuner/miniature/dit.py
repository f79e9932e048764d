"""What all toy DiTs share: windows of tokens, embeddings of time, linear modules with their low-rank parts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from .families import Condition
from .tape import LowRank, Node, Tape
from .tensors import Array

WINDOW = 96
"""Tokens that attend to one another; it keeps a full-size video affordable in numpy."""

FREQUENCIES = 256
PATCH = 2
NO_BIAS = np.zeros(1, np.float32)


def to_tokens(latent: Array) -> Array:
    """(channels, frames, h, w) to (frames * h/2 * w/2, channels * 4); an odd last row or column is dropped."""
    channels, frames, height, width = latent.shape
    rows, columns = height // PATCH, width // PATCH
    cut = latent[:, :, : rows * PATCH, : columns * PATCH]
    patches = cut.reshape(channels, frames, rows, PATCH, columns, PATCH).transpose(1, 2, 4, 0, 3, 5)
    return patches.reshape(frames * rows * columns, channels * PATCH * PATCH)


def to_latent(tokens: Array, shape: tuple[int, ...]) -> Array:
    """The way back for the head's order of values, patch position first; ``shape`` is the latent's."""
    channels, frames, height, width = shape
    rows, columns = height // PATCH, width // PATCH
    patches = tokens.reshape(frames, rows, columns, PATCH, PATCH, channels).transpose(5, 0, 1, 3, 2, 4)
    return patches.reshape(channels, frames, height, width)


def head_order(tokens: Array, channels: int) -> Array:
    """Patches in the order of the head: what a prediction is compared with."""
    split = tokens.reshape(len(tokens), channels, PATCH * PATCH)
    return split.swapaxes(1, 2).reshape(len(tokens), -1)


def to_windows(tokens: Array) -> Array:
    """(tokens, width) to (windows, at most 96, width); the last window is filled up from the beginning."""
    count = len(tokens)
    length = min(WINDOW, count)
    windows = math.ceil(count / length)
    return np.resize(tokens, (windows * length, tokens.shape[1])).reshape(windows, length, -1)


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def waves(value: float) -> Array:
    """A number as 256 cosines and sines."""
    half = FREQUENCIES // 2
    angles = value * np.power(10000.0, -np.arange(half) / half)
    return np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)


class ToyDiT(ABC):
    """Predicts the flow's velocity of windows of tokens. ``network`` adds low-rank parts to its linear modules."""

    patch: str
    """The module that embeds patches."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = dict(weights)
        self.width = self.weights[f"{self.patch}.weight"].shape[0]
        self.network: Mapping[str, LowRank] = {}

    @abstractmethod
    def linear_modules(self) -> list[str]:
        """The linear modules inside the blocks, which a LoRA is made for, in upstream's order of creation."""

    @abstractmethod
    def forward(self, tape: Tape, tokens: Array, timestep: float, condition: Condition) -> Node:
        """Windows of patches (windows, tokens, channels * 4) to velocities in the head's order."""

    def predict(self, latent: Array, timestep: float, condition: Condition) -> Array:
        """The velocity of a whole latent, without learning; ``timestep`` is in 0..1."""
        tokens = to_windows(to_tokens(self.with_channels(latent, condition)))
        output = self.forward(Tape(learning=False), tokens, timestep, condition).value
        count = latent.shape[1] * (latent.shape[2] // PATCH) * (latent.shape[3] // PATCH)
        return to_latent(output.reshape(-1, output.shape[-1])[:count], latent.shape)

    def with_channels(self, latent: Array, condition: Condition) -> Array:
        """The latent with the further channels of image-to-video and control models."""
        return latent if condition.channels is None else np.concatenate([latent, condition.channels])

    def blocks_of(self, folder: str) -> int:
        """How many blocks the weights have below ``folder``."""
        return len({name.split(".")[1] for name in self.weights if name.startswith(f"{folder}.")})

    def embed(self, tokens: Array) -> Array:
        """Patches to the DiT's width."""
        weight = self.weights[f"{self.patch}.weight"].reshape(self.width, -1)
        return (tokens @ weight.T + self.weights[f"{self.patch}.bias"]).astype(np.float32)

    def linear(self, tape: Tape, name: str, x: Node) -> Node:
        bias = self.weights.get(f"{name}.bias", NO_BIAS)
        return tape.linear(x, self.weights[f"{name}.weight"], bias, self.network.get(name))

    def dense(self, name: str, x: Array) -> Array:
        """A linear module that is never trained."""
        result: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result

    def two_layers(self, first: str, second: str, x: Array) -> Array:
        return self.dense(second, silu(self.dense(first, x)))
