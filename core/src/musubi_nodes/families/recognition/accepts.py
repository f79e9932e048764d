"""Which weights files a model field takes."""

from __future__ import annotations

from dataclasses import dataclass

from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.quantisation import FP8, PLAIN, Quantisation


@dataclass(frozen=True)
class Accepts:
    """What the loader of a model field can read.

    ``name`` is a phrase for messages (``Wan 2.1's VAE``). ``kinds``: any of them. ``prefixes``: what may stand before
    the tensors' names. ``quantised``: how the weights may be quantised. ``sharded``: the first of several files
    (``-00001-of-00003``) stands for all of them. ``fix`` says which file to take instead.
    """

    name: str
    kinds: tuple[WeightsKind, ...]
    prefixes: tuple[str, ...] = ("",)
    quantised: tuple[Quantisation, ...] = (PLAIN, FP8)
    sharded: bool = False
    fix: str = ""
