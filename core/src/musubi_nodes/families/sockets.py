"""The shared sockets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from musubi_nodes.commands.option import SameResult
from musubi_nodes.datasets.config.toml import DatasetConfig
from musubi_nodes.datasets.scan.caches import CacheKind
from musubi_nodes.errors import Problem
from musubi_nodes.families.fields import Socket


class Dataset(Socket):
    """A dataset TOML; nodes that use it raise its ``errors``.

    ``name`` is a file name, ``fingerprint`` covers files, captions and options.
    """

    socket: ClassVar[str] = "MUSUBI_DATASET"

    name: str
    source: Annotated[Path, SameResult()]
    config: DatasetConfig
    fingerprint: str
    missing_captions: Literal["error", "skip"] = "error"
    errors: tuple[Problem, ...] = ()


class Cache(Socket):
    """A finished cache with its dataset, flags, version and files' state."""

    dataset: Dataset
    flags: frozenset[str] = frozenset()
    version: str = ""
    state: str = ""


DESCRIPTIONS: Mapping[CacheKind, str] = {
    "latent": "The family's latent cache node.",
    "text": "The family's text encoder cache node.",
}


@cache
def cache_socket(family: str, kind: CacheKind) -> type[Cache]:
    """Return the class of a family's caches; ``family`` is its key."""
    own = {
        "__module__": __name__,
        "socket": f"MUSUBI_{family.upper()}_{kind.upper()}_CACHE",
        "description": DESCRIPTIONS[kind],
    }
    return type(f"{family.title()}{kind.title()}Cache", (Cache,), own)


class Lora(Socket):
    """A LoRA of a chain.

    ``noise`` is its model (Wan 2.2). For ``family`` and ``format`` see :func:`musubi_nodes.families.lora.lora_of`.
    """

    socket: ClassVar[str] = "MUSUBI_LORA"

    path: Path
    multiplier: float = 1.0
    noise: Literal["both", "high", "low"] = "both"
    family: str = ""
    format: str = ""
    complete: bool = True
    previous: Lora | None = None

    def scaled(self, factor: float) -> Lora:
        """Multiply the strength of the whole chain."""
        before = self.previous.scaled(factor) if self.previous else None
        return self.model_copy(update={"multiplier": self.multiplier * factor, "previous": before})

    def chain(self) -> tuple[Lora, ...]:
        return (*(self.previous.chain() if self.previous else ()), self)


class Run(Socket):
    socket: ClassVar[str] = "MUSUBI_RUN"

    folder: Path


class Latent(Socket):
    socket: ClassVar[str] = "MUSUBI_LATENT"

    path: Path


Lora.model_rebuild()
