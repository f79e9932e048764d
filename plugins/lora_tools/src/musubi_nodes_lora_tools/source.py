"""A LoRA of a chain, module by module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from musubi_nodes.families import Lora, MusubiError, read_array, read_header
from musubi_nodes_lora_tools.low_rank import Update

DOWN, UP = ("lora_down", "lora_A"), ("lora_up", "lora_B")
WEIGHT = re.compile(rf"(?P<module>.+)\.(?P<side>{'|'.join((*DOWN, *UP))})\.weight")


class Pair(NamedTuple):
    """The names of an update's two weights and of its alpha."""

    down: str
    up: str
    alpha: str


class Source:
    """A LoRA of the chain: its header, and its pairs of weights by module."""

    def __init__(self, lora: Lora) -> None:
        self.lora = lora
        self.header = read_header(lora.path)

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """Pairs by module; a :class:`MusubiError` for a network of another kind."""
        sides: dict[str, dict[str, str]] = {}
        for name in self.header.tensors:
            if found := WEIGHT.fullmatch(name):
                sides.setdefault(found["module"], {})["down" if found["side"] in DOWN else "up"] = name
            elif not name.endswith(".alpha"):
                self._refuse(name)
        pairs = {module: self._pair(module, names) for module, names in sides.items()}
        if not pairs:
            raise MusubiError("file-not-lora", f"{self.lora.path.name} is no LoRA", fix="Choose another file.")
        return pairs

    def _pair(self, module: str, names: Mapping[str, str]) -> Pair:
        if len(names) < 2:
            self._refuse(next(iter(names.values())))
        return Pair(names["down"], names["up"], f"{module}.alpha")

    def _refuse(self, name: str) -> None:
        raise MusubiError(
            "lora-not-plain",
            f"{self.lora.path.name} is not a plain LoRA: it contains {name}",
            why="LoHa, LoKr, DoRA and the like are no sums of low rank.",
            fix="Take it out of the chain, and give it to the generator as it is.",
        )

    def shapes(self, module: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of down and up."""
        pair = self.pairs[module]
        return self.header.tensors[pair.down].shape, self.header.tensors[pair.up].shape

    def weight_shape(self, module: str) -> tuple[int, ...]:
        """Shape of the weight that the module changes."""
        down, up = self.shapes(module)
        return up[0], *down[1:]

    def update(self, module: str) -> Update:
        """The change of a weight, with the LoRA's multiplier."""
        pair, path = self.pairs[module], self.lora.path
        down, up = (read_array(path, self.header.tensors[name]) for name in (pair.down, pair.up))
        alpha = self.header.tensors.get(pair.alpha)
        scale = float(read_array(path, alpha)) / len(down) if alpha else 1.0
        return Update(up, down, self.lora.multiplier * scale)
