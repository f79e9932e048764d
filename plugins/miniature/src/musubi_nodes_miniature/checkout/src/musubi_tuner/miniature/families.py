"""What a family of models is made of; one module per family declares it as ``FAMILY``."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .tensors import Array, Tensor

if TYPE_CHECKING:
    from .dataset import Item
    from .dit import ToyDiT
    from .prompts import Prompt

Batch = Mapping[str, list[Array]]
"""The cached tensors of a batch by content name, one array per item."""


@dataclass
class Denoisers:
    """The DiT, and the second one for high noise where there are two; ``boundary`` is in 0..1."""

    low: ToyDiT
    high: ToyDiT | None = None
    boundary: float | None = None

    def at(self, timestep: float) -> ToyDiT:
        """The DiT in charge of a timestep in 0..1."""
        if self.high is not None and self.boundary is not None and timestep >= self.boundary:
            return self.high
        return self.low


@dataclass(frozen=True)
class Condition:
    """What a DiT sees besides the noisy latent: text tokens, further channels, image tokens."""

    text: Array
    channels: Array | None = None
    image: Array | None = None


@dataclass(frozen=True)
class SampleSize:
    """Pixels and frames of a sample."""

    width: int
    height: int
    frames: int


SampleMaker = Callable[["Prompt", SampleSize, int, Denoisers], Array]
"""Prompt, size, seed and DiTs to uint8 frames (frames, height, width, 3)."""


class Family(ABC):
    """Names and behaviour of one family, in the order in which the scripts need them."""

    short: ClassVar[str]
    """The architecture in cache names."""
    full: ClassVar[str]
    """The architecture in metadata."""
    model_spec: ClassVar[str]
    implementation: ClassVar[str]
    frames_per_second: ClassVar[float]
    window_in_bucket: ClassVar[bool] = False
    """Whether ``fp_latent_window_size`` is part of an image's bucket."""
    network_modules: ClassVar[tuple[str, ...]]

    @abstractmethod
    def latent_encoder(self, args: argparse.Namespace) -> Callable[[Item], dict[str, Tensor]]:
        """Load what encodes pixels; the result makes the tensors of one latent cache."""

    @abstractmethod
    def text_encoder(self, args: argparse.Namespace) -> Callable[[str], dict[str, Tensor]]:
        """Load what encodes captions; the result makes the tensors of one text cache."""

    @abstractmethod
    def check_training(self, args: argparse.Namespace) -> None:
        """Refuse arguments as upstream does before anything is loaded."""

    @abstractmethod
    def load_denoisers(self, args: argparse.Namespace) -> Denoisers:
        """Load the DiTs for training."""

    @abstractmethod
    def conditions(self, args: argparse.Namespace, batch: Batch) -> list[Condition]:
        """One condition per item of a batch; :class:`KeyError` where the caches lack something."""

    @abstractmethod
    def sample_needs(self, args: argparse.Namespace) -> dict[str, str]:
        """What a sample prompt must have, with upstream's message about its absence."""

    @abstractmethod
    def sample_maker(self, args: argparse.Namespace, prompts: list[Prompt]) -> SampleMaker:
        """Load and encode what samples while training need; the result makes the frames of one prompt."""
