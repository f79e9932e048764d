"""``lora_post_hoc_ema.py``: a decaying mean over the checkpoints of one training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .families import Family
from .tensors import FLOATING, Tensor, load, metadata_of, model_hashes, save


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family | None) -> None:
    """Merge ``path`` in the order of modification times, or as given with ``--no_sort``."""
    paths: list[str] = list(args.path)
    if not args.no_sort:
        print("Sorting files by modification time...")
        paths.sort(key=lambda path: Path(path).stat().st_mtime)
    print(f"Loading metadata from {paths[-1]}")
    metadata = metadata_of(paths[-1])
    if metadata is None:
        print("No metadata found in the last file, proceeding without metadata.")
    else:
        print("Metadata found, using metadata from the last file.")
    merged = merge(paths, betas(len(paths) - 1, args.beta, args.beta2, args.sigma_rel))
    if metadata is not None:
        print("Updating metadata with new hashes.")
        metadata |= model_hashes(merged, metadata)
    print(f"Saving merged weights to {args.output_file}")
    save(args.output_file, merged, metadata)
    print("Merging completed successfully.")


def gamma_of(sigma_rel: float) -> float:
    """The exponent of the power function whose relative width is ``sigma_rel`` (arXiv 2312.02696, algorithm 2)."""
    t = sigma_rel**-2
    roots = np.roots([1, 7, 16 - t, 12 - t])
    return float(roots[np.isreal(roots) & (roots.real >= 0)].real.max())


def betas(count: int, beta: float, beta2: float | None, sigma_rel: float | None) -> list[float]:
    """The decay of each of ``count`` further files: constant, linear to ``beta2``, or a power function."""
    if sigma_rel is not None:
        gamma = gamma_of(sigma_rel)
        return [float((1 - 1 / step) ** (gamma + 1)) for step in range(1, count + 1)]
    last = beta if beta2 is None else beta2
    return [beta + (last - beta) * (step / (count - 1)) if count > 1 else beta for step in range(count)]


def merge(paths: Sequence[str], decays: Sequence[float]) -> dict[str, Tensor]:
    """The weighted tensors in the dtypes of the first file; alpha must be the same in all."""
    print(f"Loading weights from {paths[0]}")
    state = load(paths[0])
    dtypes = {key: tensor.dtype for key, tensor in state.items()}
    for key, dtype in dtypes.items():
        if dtype not in FLOATING:
            print(f"Skipping non-floating point tensor: {key}")
    values = {key: tensor.values.astype(np.float32) for key, tensor in state.items() if tensor.dtype in FLOATING}
    for path, beta in zip(paths[1:], decays, strict=True):
        print(f"Loading weights from {path} for merging with beta={beta:.4f}")
        for key, tensor in load(path).items():
            if key.endswith(".alpha"):
                if key in state and not np.allclose(state[key].values, tensor.values):
                    raise ValueError(f"Alpha tensors for key {key} do not match across files.")
            elif tensor.dtype not in FLOATING:
                print(f"Skipping non-floating point tensor: {key}")
            elif key in values:
                values[key] = values[key] * np.float32(beta) + tensor.values.astype(np.float32) * np.float32(1 - beta)
            else:
                raise KeyError(f"Key {key} not found in the initial state_dict.")
    return {key: Tensor(values.get(key, tensor.values), tensor.dtype) for key, tensor in state.items()}
