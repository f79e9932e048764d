"""One step of learning: read a batch, draw timesteps and noise, compare the toy DiT with the flow, go back."""

from __future__ import annotations

import argparse
import sys
import time
from typing import NoReturn

import numpy as np

from .dataset import CachedItem
from .dit import ToyDiT, head_order, to_tokens, to_windows
from .errors import SafetensorError
from .families import Batch, Condition, Denoisers, Family
from .tape import Tape
from .tensors import SHORT_NAMES, Array, load
from .timesteps import sample, weight

LEARNED_WINDOWS = 2
"""Windows of one item that a step learns from; a large video has hundreds."""


class LossRecorder:
    """Mean loss over one epoch's window: each place in the epoch keeps its last loss."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def add(self, epoch: int, step: int, loss: float) -> None:
        """Record the loss of a place in the epoch."""
        if epoch == 0 or step >= len(self.losses):
            self.losses.append(loss)
        else:
            self.losses[step] = loss

    @property
    def average(self) -> float:
        return sum(self.losses) / len(self.losses)


class Fit:
    """Adds the gradient of batches to what the DiTs' network has; cached tensors are read once."""

    def __init__(
        self, args: argparse.Namespace, family: Family, denoisers: Denoisers, random: np.random.Generator
    ) -> None:
        self.args, self.family, self.denoisers, self.random = args, family, denoisers, random
        self.contents: dict[str, dict[str, list[Array]]] = {}

    def _read(self, items: list[CachedItem]) -> Batch:
        """The tensors of a batch by content name. A broken cache with workers never comes back, as upstream."""
        try:
            found: dict[str, list[Array]] = {}
            for item in items:
                for path in (item.latent_cache, item.text_cache):
                    if path not in self.contents:
                        self.contents[path] = _contents(path)
                    for name, values in self.contents[path].items():
                        found.setdefault(name, []).extend(values)
            return found
        except SafetensorError:
            if self.args.max_data_loader_n_workers:
                _hang_like_a_worker()
            raise

    def learn(self, items: list[CachedItem]) -> float:
        """Forward and backward for one batch; the gradient is added to what the network has."""
        batch = {**self._read(items)}
        scale = np.float32(self.family.latent_scale)
        batch["latents"] = [_with_frames(latent).astype(np.float32) * scale for latent in batch["latents"]]
        conditions = self.family.conditions(self.args, batch)
        high: bool | None = None
        losses = []
        for latent, condition in zip(batch["latents"], conditions, strict=True):
            timestep, high = self._timestep(latent, high)
            with np.errstate(all="ignore"):
                losses.append(self._learn_item(latent, condition, timestep, len(items)))
        return float(np.mean(losses))

    def _timestep(self, latent: Array, high: bool | None) -> tuple[float, bool | None]:
        """A timestep; with two DiTs the first item of a batch decides for which of them all others are drawn."""
        tokens = latent.shape[2] * latent.shape[3] // 4
        boundary = self.denoisers.boundary
        for _ in range(100):
            timestep = float(sample(self.args, self.random, 1, tokens)[0])
            side = boundary is not None and timestep >= boundary
            if high is None or side == high:
                return timestep, side if boundary is not None else None
        return timestep, high

    def _learn_item(self, latent: Array, condition: Condition, timestep: float, batch_size: int) -> float:
        dit: ToyDiT = self.denoisers.at(timestep)
        noise = self.random.standard_normal(latent.shape, np.float32)
        noisy = (1 - np.float32(timestep)) * latent + np.float32(timestep) * noise
        tokens = to_windows(to_tokens(dit.with_channels(noisy, condition)))
        target = to_windows(head_order(to_tokens(noise - latent), len(latent)))
        if len(tokens) > LEARNED_WINDOWS:
            chosen = self.random.choice(len(tokens), LEARNED_WINDOWS, replace=False)
            tokens, target = tokens[chosen], target[chosen]
        tape = Tape()
        output = dit.forward(tape, tokens, timestep, condition)
        difference = output.value - target
        factor = weight(self.args.weighting_scheme, timestep)
        tape.backward(output, difference * np.float32(2 * factor / difference.size / batch_size))
        return float((difference**2).mean()) * factor


def _with_frames(latent: Array) -> Array:
    """(channels, frames, height, width), also of a family whose caches hold no frames."""
    return latent.reshape(len(latent), -1, *latent.shape[-2:])


def _contents(path: str) -> dict[str, list[Array]]:
    """Tensors by content: names without dtype, and latents without their size."""
    found = {}
    for name, tensor in load(path).items():
        content = name.removeprefix("varlen_")
        for dtype in SHORT_NAMES:
            content = content.removesuffix(f"_{dtype}")
        if content.startswith("latents_") or (content.startswith("latents") and content[7:8].isdigit()):
            content = content.rsplit("_", 1)[0]
        found[content] = [tensor.values]
    return found


def _hang_like_a_worker() -> NoReturn:
    """A loader process of upstream cannot send this error home, so its trainer waits for ever."""
    print(
        "Traceback (most recent call last):\n"
        '  File "multiprocessing/queues.py", line 244, in _feed\n'
        "    obj = _ForkingPickler.dumps(obj)\n"
        "_pickle.PicklingError: Can't pickle <class 'safetensors_rust.SafetensorError'>:"
        " import of module 'safetensors_rust' failed",
        file=sys.stderr,
        flush=True,
    )
    while True:
        time.sleep(3600)
