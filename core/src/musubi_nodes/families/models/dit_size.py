"""What a DiT weighs: a family's declaration of it, for memory plans."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLS_COUNT = "Each control picture takes as much working memory as a picture."


@dataclass(frozen=True)
class DitSize:
    """``blocks`` are counted as ``blocks_to_swap`` counts them, ``most_swap`` is its limit when training and when
    generating. ``block`` is GiB of one in 8 bits, ``per_kilotoken`` GiB of working memory for a thousand tokens when
    training and when generating; ``layers`` times ``hidden`` activations are kept for each token; ``lora_width`` is the
    sum of input and output features of a block's linear layers.

    A DiT that makes a video section by section sees ``window`` latent frames at once, and of what was made before as
    many tokens as ``context`` latent frames have. ``notes`` say what else, beyond a memory plan, saves memory.
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
