"""Toy stand-ins for VAEs, text and image encoders: seeded projections that keep what a picture or a sentence says."""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from .tensors import Array, check_file, read_header

CELL = 8
"""Pixels per latent cell and side."""
CHANNELS = 16
LATENT_SCALE = 2.0
TEXT_WIDTH = 4096


def fingerprint(path: str, needed: str) -> int | None:
    """A number that differs between weight files, ``None`` where the tensor ``needed`` is missing."""
    check_file(path)
    entries, _, start = read_header(Path(path))
    if needed not in entries:
        return None
    begin, end = entries[needed]["data_offsets"]
    with Path(path).open("rb") as file:
        file.seek(start + begin)
        return zlib.crc32(file.read(min(end - begin, 1 << 20)))


class ToyVAE:
    """Latents are 4 x 4 pixel means, projected to 16 channels and scaled; decoding is the exact way back."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed).standard_normal((CHANNELS, 12))
        self.projection = np.linalg.qr(random)[0].astype(np.float32) * LATENT_SCALE

    def encode(self, frames: Array) -> Array:
        """(frames, height, width, 3) in -1..1 to (16, latent frames, height / 8, width / 8); frames is 4n+1."""
        count, height, width = frames.shape[0], frames.shape[1] // CELL, frames.shape[2] // CELL
        half = CELL // 2
        cells = frames[:, : height * CELL, : width * CELL].reshape(count, height, 2, half, width, 2, half, 3)
        means = cells.mean(axis=(3, 6), dtype=np.float32).transpose(0, 1, 3, 2, 4, 5)
        features = means.reshape(count, height, width, 12)
        rest = features[1:].reshape(-1, 4, height, width, 12).mean(axis=1)
        latent = np.concatenate([features[:1], rest]) @ self.projection.T
        return np.ascontiguousarray(latent.transpose(3, 0, 1, 2), np.float32)

    def decode(self, latent: Array) -> Array:
        """(16, latent frames, h, w) to uint8 (frames, 8 h, 8 w, 3)."""
        _, count, height, width = latent.shape
        features = latent.transpose(1, 2, 3, 0) @ (self.projection / LATENT_SCALE**2)
        cells = features.reshape(count, height, width, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5)
        small = cells.reshape(count, 2 * height, 2 * width, 3)
        levels = np.nan_to_num(small * 127.5 + 127.5, nan=0.0).clip(0, 255).astype(np.uint8)
        size = (width * CELL, height * CELL)
        large = [np.asarray(Image.fromarray(level).resize(size, Image.Resampling.BICUBIC)) for level in levels]
        frames = [large[0]]
        for before, after in pairwise(large):
            step = (after.astype(np.float32) - before) / 4
            frames += [(before + step * part).astype(np.uint8) for part in (1, 2, 3, 4)]
        return np.stack(frames)


def normalized(frames: Array) -> Array:
    """uint8 to -1..1."""
    return frames.astype(np.float32) / 127.5 - 1.0


def word_vectors(caption: str, length: int, end: str = "</s>", width: int = TEXT_WIDTH) -> Array:
    """(tokens, width), at most ``length`` tokens: one seeded vector per word, digit group or other character."""
    words = re.findall(r"[a-z0-9]+|[^\sa-z0-9]", caption.lower())
    return np.stack([_vector(token, width) for token in (*words[: length - 1], end)])


def _vector(token: str, width: int) -> Array:
    return np.random.default_rng(zlib.crc32(token.encode())).standard_normal(width, np.float32)


class ToyVision:
    """A square grid of mean colours, projected to ``width``; with ``summary`` their mean stands before them."""

    def __init__(self, side: int, width: int, summary: bool = False) -> None:
        self.side, self.summary = side, summary
        self.projection = np.random.default_rng(257).standard_normal((3, width), np.float32)

    def encode(self, frame: Array) -> Array:
        """(height, width, 3) uint8 to (side * side, width)."""
        grid = np.asarray(Image.fromarray(frame).resize((self.side, self.side), Image.Resampling.BOX))
        colours = normalized(grid.reshape(-1, 3))
        if self.summary:
            colours = np.concatenate([colours.mean(axis=0, keepdims=True), colours])
        return colours @ self.projection
