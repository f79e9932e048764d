"""A real but tiny single-stream transformer, as Z-Image is: picture and text attend to one another in every block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .dit import ToyDiT, silu, waves
from .families import Condition
from .tape import Node, Tape
from .tensors import Array


class ZImageDiT(ToyDiT):
    """The time moves scales and gates; upstream predicts the velocity with the other sign, here it is as elsewhere."""

    patch = "all_x_embedder.2-1"

    def __init__(self, weights: Mapping[str, Array]) -> None:
        super().__init__(weights)
        self.layers = self.blocks_of("layers")

    def linear_modules(self) -> list[str]:
        names = [name.removesuffix(".weight") for name in self.weights if name.startswith("layers.")]
        return sorted(name for name in names if ".attention.to_" in name or ".feed_forward.w" in name)

    def forward(self, tape: Tape, tokens: Array, timestep: float, condition: Condition) -> Node:
        length = tokens.shape[1]
        time = self.two_layers("t_embedder.mlp.0", "t_embedder.mlp.2", waves(timestep * 1000))
        text = self.dense("cap_embedder.1", condition.text * self.weights["cap_embedder.0.weight"])
        both = np.concatenate([self.embed(tokens), np.repeat(text[None], len(tokens), axis=0)], axis=1)
        x = Node(both.astype(np.float32))
        for number in range(self.layers):
            x = self._block(tape, f"layers.{number}", x, time)
        picture = tape.split(x, [length], 1)[0]
        scale = self.dense("all_final_layer.2-1.adaLN_modulation.1", silu(time))
        return self.linear(tape, "all_final_layer.2-1.linear", tape.norm(picture, 1 + scale, 0.0))

    def _block(self, tape: Tape, name: str, x: Node, time: Array) -> Node:
        change = self.dense(f"{name}.adaLN_modulation.0", time).reshape(4, self.width).astype(np.float32)
        seen = self._normed(tape, f"{name}.attention_norm1", x, change[0])
        x = tape.add(x, self._normed(tape, f"{name}.attention_norm2", self._attend(tape, name, seen)), change[1])
        inner = self._normed(tape, f"{name}.ffn_norm1", x, change[2])
        gate, value = (self.linear(tape, f"{name}.feed_forward.w{number}", inner) for number in (1, 3))
        answer = self.linear(tape, f"{name}.feed_forward.w2", tape.gelu(tape.add(gate, value)))
        return tape.add(x, self._normed(tape, f"{name}.ffn_norm2", answer), change[3])

    def _normed(self, tape: Tape, name: str, x: Node, scale: Array | float = 0.0) -> Node:
        return tape.rms_norm(x, self.weights[f"{name}.weight"] * (1 + scale))

    def _attend(self, tape: Tape, name: str, x: Node) -> Node:
        query, key, value = (self.linear(tape, f"{name}.attention.to_{part}", x) for part in "qkv")
        query = self._normed(tape, f"{name}.attention.norm_q", query)
        key = self._normed(tape, f"{name}.attention.norm_k", key)
        return self.linear(tape, f"{name}.attention.to_out.0", tape.attention(query, key, value))
