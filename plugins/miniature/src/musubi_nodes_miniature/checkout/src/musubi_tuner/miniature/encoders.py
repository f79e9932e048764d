"""Toy stand-ins for VAE, T5 and CLIP: fixed seeded projections that keep what a picture or a sentence says."""

from __future__ import annotations

import logging
import re
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from .errors import refuse_weights
from .tensors import Array, check_file, read_header

CELL = 8
"""Pixels per latent cell and side."""
CHANNELS = 16
LATENT_SCALE = 2.0
TEXT_WIDTH, TEXT_LENGTH = 4096, 512
CLIP_TOKENS, CLIP_WIDTH = 257, 80


def _fingerprint(path: str, needed: str) -> int | None:
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

    def __init__(self, path: str) -> None:
        logging.info(f"loading {path}")
        seed = _fingerprint(path, "decoder.conv1.weight")
        if seed is None:
            raise NotImplementedError(
                "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of"
                " torch.nn.Module.to() when moving module from meta to a different device."
            )
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


class ToyT5:
    """One seeded vector per word, digit group or other character, the same for the same token everywhere."""

    def __init__(self, path: str) -> None:
        log = logging.getLogger("musubi_tuner.wan.modules.t5")
        log.info(f"loading weights from {path}")
        if _fingerprint(path, "token_embedding.weight") is None:
            refuse_weights("T5Encoder", ['Missing key(s) in state_dict: "token_embedding.weight". '])
        log.info("moving model to cpu and casting to torch.bfloat16")

    def encode(self, caption: str) -> Array:
        """(tokens, 4096), the last token is the end of the sentence."""
        words = re.findall(r"[a-z0-9]+|[^\sa-z0-9]", caption.lower())
        tokens = [*words[: TEXT_LENGTH - 1], "</s>"]
        return np.stack([self._vector(token) for token in tokens])

    @staticmethod
    def _vector(token: str) -> Array:
        return np.random.default_rng(zlib.crc32(token.encode())).standard_normal(TEXT_WIDTH, np.float32)


class ToyCLIP:
    """A 16 x 16 grid of mean colours and their mean, projected to a small width."""

    def __init__(self, path: str) -> None:
        check_file(path)
        logging.getLogger("musubi_tuner.wan.modules.clip").info(f"loading {path}")
        self.projection = np.random.default_rng(257).standard_normal((3, CLIP_WIDTH), np.float32)

    def encode(self, frame: Array) -> Array:
        """(height, width, 3) uint8 to (257, 80)."""
        grid = np.asarray(Image.fromarray(frame).resize((16, 16), Image.Resampling.BOX))
        colours = normalized(grid.reshape(-1, 3))
        return np.concatenate([colours.mean(axis=0, keepdims=True), colours]) @ self.projection
