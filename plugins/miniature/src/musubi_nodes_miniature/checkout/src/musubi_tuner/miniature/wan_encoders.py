"""Loading Wan's toy VAE, T5 and CLIP with upstream's lines and refusals."""

from __future__ import annotations

import logging

from .encoders import ToyVAE, ToyVision, fingerprint, word_vectors
from .errors import refuse_weights
from .tensors import Array, check_file
from .wan_models import CLIP_WIDTH

TEXT_LENGTH = 512


def load_vae(path: str) -> ToyVAE:
    """The VAE; another one's file is found out when it is moved."""
    logging.info(f"loading {path}")
    seed = fingerprint(path, "decoder.conv1.weight")
    if seed is None:
        raise NotImplementedError(
            "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of"
            " torch.nn.Module.to() when moving module from meta to a different device."
        )
    return ToyVAE(seed)


class ToyT5:
    """The text encoder."""

    def __init__(self, path: str) -> None:
        log = logging.getLogger("musubi_tuner.wan.modules.t5")
        log.info(f"loading weights from {path}")
        if fingerprint(path, "token_embedding.weight") is None:
            refuse_weights("T5Encoder", ['Missing key(s) in state_dict: "token_embedding.weight". '])
        log.info("moving model to cpu and casting to torch.bfloat16")

    def encode(self, caption: str) -> Array:
        """(tokens, 4096), the last token is the end of the sentence."""
        return word_vectors(caption, TEXT_LENGTH)


def load_clip(path: str) -> ToyVision:
    """The image encoder: (257, 80) per picture."""
    check_file(path)
    logging.getLogger("musubi_tuner.wan.modules.clip").info(f"loading {path}")
    return ToyVision(16, CLIP_WIDTH, summary=True)
