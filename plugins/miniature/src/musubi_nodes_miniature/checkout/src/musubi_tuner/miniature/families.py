"""What a family of models is made of; one module per family declares it as ``FAMILY``."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .output import MAIN
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
    """What a DiT sees besides the noisy latent: text tokens, further channels, image tokens, and what else it knows."""

    text: Array
    channels: Array | None = None
    image: Array | None = None
    pooled: Array | None = None
    """One vector for the whole text."""
    guidance: float = 1.0
    """The guidance scale that a distilled model is told."""
    history: tuple[Array | None, ...] = ()
    """Clean latents at full, half and quarter size in time and space (FramePack)."""


@dataclass(frozen=True)
class SampleSize:
    """Pixels and frames of a sample."""

    width: int
    height: int
    frames: int


SampleMaker = Callable[["Prompt", SampleSize, int, Denoisers], Array | None]
"""Prompt, size, seed and DiTs to uint8 frames (frames, height, width, 3); ``None`` where there is nothing to show."""

LatentEncoder = Callable[["Item"], list[dict[str, Tensor]]]
"""An item to the tensors of its latent caches, in the order of :meth:`Family.cache_paths`."""

TextEncoder = Callable[[str], dict[str, Tensor]]
"""A caption to tensors of its text cache."""


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
    latent_log: ClassVar[str] = "musubi_tuner.cache_latents"
    text_log: ClassVar[str] = "musubi_tuner.cache_text_encoder_outputs"
    """The loggers of the loops over datasets."""
    checkpointing_line: ClassVar[str]
    """What the DiT's class says to ``--gradient_checkpointing``."""
    import_lines: ClassVar[tuple[str, ...]] = ("Trying to import sageattention", "Failed to import sageattention")
    """What the modules of training and generation print when they are imported."""
    latent_scale: ClassVar[float] = 1.0
    """What cached latents are multiplied with before they are trained on."""
    guidance: ClassVar[float] = 1.0
    """Guidance of samples whose prompt says nothing about it."""

    def check_caching(self, args: argparse.Namespace) -> None:
        """What the latent cache script does with its arguments before the datasets are read."""
        if args.disable_cudnn_backend:
            MAIN.info("Disabling cuDNN PyTorch backend.")

    def cache_paths(self, item: Item) -> list[str]:
        """The latent caches of an item."""
        return [item.latent_cache]

    @abstractmethod
    def latent_encoder(self, args: argparse.Namespace) -> LatentEncoder:
        """Load what encodes pixels."""

    @abstractmethod
    def text_encoders(self, args: argparse.Namespace) -> Iterator[TextEncoder]:
        """Load what encodes captions: one pass over all captions for each."""

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
