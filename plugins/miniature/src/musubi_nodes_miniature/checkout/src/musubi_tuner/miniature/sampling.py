"""From noise to a latent: Euler steps along the velocity that the toy DiT predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from .families import Condition, Denoisers
from .output import MAIN
from .tensors import Array
from .timesteps import shifted


@dataclass(frozen=True)
class Plan:
    """How a latent is denoised; ``guidance`` is (low noise, high noise), 1.0 turns guidance off."""

    steps: int
    shift: float
    guidance: tuple[float, float]
    seed: int
    source: Array | None = None
    """A latent to begin with instead of pure noise (video to video)."""
    strength: float = 1.0
    top: float = 0.999

    @property
    def sigmas(self) -> Array:
        """The noise levels; with ``source`` only the last ones."""
        levels = shifted(np.linspace(self.top, 0.0, self.steps + 1), self.shift)
        return levels if self.source is None else levels[-int(self.steps * self.strength) - 1 :]


def noise(shape: tuple[int, ...], seed: int) -> Array:
    """The same noise for the same seed on every machine."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def denoise(
    denoisers: Denoisers,
    shape: tuple[int, ...],
    positive: Condition,
    negative: Condition,
    plan: Plan,
    description: str | None = None,
    on_switch: Callable[[int, float], None] | None = None,
) -> Array:
    """A latent of ``shape``; the bar has one unit per step, and ``on_switch`` hears of the change to low noise."""
    latent, sigmas = noise(shape, plan.seed), plan.sigmas
    if plan.source is not None:
        latent = latent * np.float32(sigmas[0]) + plan.source * np.float32(1 - sigmas[0])
    was_high = denoisers.boundary is not None
    for step, sigma in enumerate(tqdm(sigmas[:-1], desc=description)):
        high = denoisers.boundary is not None and sigma >= denoisers.boundary
        if was_high and not high and on_switch is not None:
            on_switch(step, float(sigma))
        was_high = high
        dit, guidance = denoisers.at(float(sigma)), plan.guidance[1 if high else 0]
        velocity = dit.predict(latent, float(sigma), positive)
        if guidance != 1.0:
            other = dit.predict(latent, float(sigma), negative)
            velocity = other + guidance * (velocity - other)
        latent = latent + (sigmas[step + 1] - sigma).astype(np.float32) * velocity
    return latent.astype(np.float32)


def announce_switch(guidance: float) -> Callable[[int, float], None]:
    """Upstream's line about the change from the high noise DiT to the low noise one."""

    def say(step: int, sigma: float) -> None:
        MAIN.info(f"Switching to low noise at step {step}, t={int(sigma * 1000)}, guidance_scale={guidance}")

    return say
