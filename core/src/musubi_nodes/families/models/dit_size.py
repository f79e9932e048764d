"""Size of a DiT, declared by its family for memory plans."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLS_COUNT = "Each control picture takes as much working memory as a picture."


@dataclass(frozen=True)
class DitSize:
    """Facts of a DiT.

    - ``blocks``: as ``blocks_to_swap`` counts them; ``most_swap``: limits for training and generating
    - ``block``: GiB of a block in 8 bits
    - ``per_kilotoken``: GiB of working memory per 1,000 tokens, for training and generating
    - ``layers``, ``hidden``: ``layers * hidden`` activations are kept per token
    - ``lora_width``: sum of input and output features of a block's linear layers
    - ``window``, ``context``: latent frames seen at once, and of earlier sections (FramePack)
    - ``notes``: what else saves memory
    """

    name: str
    blocks: int
    block: float
    layers: int
    hidden: int
    per_kilotoken: tuple[float, float]
    lora_width: int
    most_swap: tuple[int, int]
    window: int | None = None
    context: float = 0.0
    notes: str = ""
