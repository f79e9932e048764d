"""FramePack's toy DiT: the dual-stream transformer that also sees clean latents and the start image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .dual_dit import DualStreamDiT
from .families import Condition
from .framepack_models import CLEAN, NAMES, VISION
from .tensors import Array

TOKENS = (24, 12, 12)
"""Tokens of clean latents of full, half and quarter size."""
VISION_TOKENS = 9


def means(values: Array, count: int) -> Array:
    """(n, width) as the means of at most ``count`` groups of neighbours."""
    parts = np.array_split(values, min(count, len(values)))
    return np.stack([part.mean(axis=0) for part in parts])


class FramePackDiT(DualStreamDiT):
    """Clean latents are further tokens of the image stream, the start image is further text."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        super().__init__(weights, NAMES)

    def text_tokens(self, condition: Condition) -> Array:
        words = super().text_tokens(condition)
        if condition.image is None:
            return words
        seen = self.two_layers(*VISION, means(condition.image, VISION_TOKENS))
        return np.concatenate([seen, words]).astype(np.float32)

    def further_tokens(self, condition: Condition) -> Array | None:
        found = []
        for name, latent, count in zip(CLEAN, condition.history, TOKENS, strict=False):
            if latent is not None:
                cells = means(latent.reshape(len(latent), -1).T, count)
                weight = self.weights[f"{name}.weight"].reshape(self.width, -1)
                found.append(cells @ weight.T + self.weights[f"{name}.bias"])
        return np.concatenate(found).astype(np.float32) if found else None
