"""Which timesteps a step trains on: ``--timestep_sampling`` and its companions (training/trainer_base.py)."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np

from .tensors import Array

MIXED_SHIFTS = {"flux_shift": (256, 4096, 1.15), "qwen_shift": (256, 8192, 0.9), "krea2_shift": (256, 6400, 1.15)}
"""Number of tokens at the ends, and the exponent at the upper end; it is 0.5 at the lower one."""


def shifted(t: Array, shift: float) -> Array:
    """Moves timesteps in 0..1 towards noise for ``shift`` above 1."""
    return t * shift / (1 + (shift - 1) * t)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _shift_for(name: str, args: argparse.Namespace, tokens: int) -> float:
    if name == "shift":
        return float(args.discrete_flow_shift)
    low, high, end = MIXED_SHIFTS.get(name, MIXED_SHIFTS["flux_shift"])
    return math.exp(0.5 + (end - 0.5) * (tokens - low) / (high - low))


def _density(args: argparse.Namespace, random: np.random.Generator, count: int) -> Array:
    if args.weighting_scheme == "logit_normal":
        return _sigmoid(random.normal(args.logit_mean, args.logit_std, count))
    u = random.random(count)
    if args.weighting_scheme == "mode":
        return 1 - u - args.mode_scale * (np.cos(math.pi * u / 2) ** 2 - 1 + u)
    return u


def sample(args: argparse.Namespace, random: np.random.Generator, count: int, tokens: int = 1024) -> Array:
    """``count`` timesteps in 0..1, within ``--min_timestep`` and ``--max_timestep``."""
    name = args.timestep_sampling
    low = (args.min_timestep or 0) / 1000
    high = (args.max_timestep if args.max_timestep is not None else 1000) / 1000
    if name == "sigma":
        return shifted(1 - (_density(args, random, count) * (high - low) + low), args.discrete_flow_shift)
    if name == "uniform":
        t = random.random(count)
    elif name == "logsnr":
        t = _sigmoid(-random.normal(args.logit_mean, args.logit_std, count) / 2)
    else:
        t = _sigmoid(args.sigmoid_scale * random.standard_normal(count))
        if name != "sigmoid":
            t = shifted(t, _shift_for(name, args, tokens))
    if args.preserve_distribution_shape:
        inside = t[(t >= low) & (t <= high)]
        return np.resize(inside, count) if len(inside) else t
    return t * (high - low) + low


def weight(scheme: str, t: float) -> float:
    """The weight of the loss at a timestep (``--weighting_scheme``)."""
    if scheme == "sigma_sqrt":
        return max(t, 1e-3) ** -2
    if scheme == "cosmap":
        return 2 / (math.pi * (1 - 2 * t + 2 * t * t))
    return 1.0


def show(args: argparse.Namespace) -> None:
    """``--show_timesteps``: two histograms in text, 25 timesteps a line."""
    drawn = np.clip((sample(args, np.random.default_rng(0), 100_000) * 1000).astype(int), 0, 999)
    counts = np.bincount(drawn, minlength=1000).reshape(-1, 25).mean(axis=1)
    print(f"Sampled timesteps: max count={counts.max()}")
    _bars(counts, lambda value: "")
    weights = (
        np.array([weight(args.weighting_scheme, (i + 1) / 1000) for i in range(1000)]).reshape(-1, 25).mean(axis=1)
    )
    print(f"Sampled loss weighting: max weighting={weights.max()}")
    _bars(weights, lambda value: f"{value:8.2f} ")


def _bars(values: Array, label: Callable[[float], str]) -> None:
    for line, value in enumerate(values):
        print(f"{line * 25:4d}-{line * 25 + 24:4d}: {label(value)}{'#' * int(value / values.max() * 64)}")
