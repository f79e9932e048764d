"""Weights that a model field accepts."""

from __future__ import annotations

from dataclasses import dataclass

from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.quantisation import FP8, PLAIN, Quantisation


@dataclass(frozen=True)
class Accepts:
    """What a model field's loader can read.

    ``name`` and ``fix`` are for messages, ``prefixes`` may precede tensor names. ``sharded``: the first of several
    files (``-00001-of-00003``) stands for all.
    """

    name: str
    kinds: tuple[WeightsKind, ...]
    prefixes: tuple[str, ...] = ("",)
    quantised: tuple[Quantisation, ...] = (PLAIN, FP8)
    sharded: bool = False
    fix: str = ""
