"""A real but tiny dual-stream transformer, as HunyuanVideo and FramePack are: double blocks, then single blocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .dit import ToyDiT, silu, waves
from .dual_names import Names, Stream
from .families import Condition
from .tape import Node, Tape
from .tensors import Array


class DualStreamDiT(ToyDiT):
    """Image and text attend to one another; time, guidance and the pooled text move shifts, scales and gates."""

    def __init__(self, weights: Mapping[str, Array], names: Names) -> None:
        self.names, self.patch = names, names.patch
        super().__init__(weights)
        self.doubles, self.singles = self.blocks_of(names.doubles), self.blocks_of(names.singles)

    def linear_modules(self) -> list[str]:
        names, found = self.names, []
        for number in range(self.doubles):
            for stream in (names.image, names.text):
                parts = (*stream.qkv, stream.out, *stream.mlp)
                found += [f"{names.doubles}.{number}.{part}" for part in parts]
        for number in range(self.singles):
            found += [f"{names.singles}.{number}.{part}" for part in (*names.single_in, names.single_out)]
        return sorted(found)

    def forward(self, tape: Tape, tokens: Array, timestep: float, condition: Condition) -> Node:
        names, length = self.names, tokens.shape[1]
        vector = silu(self._vector(timestep, condition))
        image = self._with_further(self.embed(tokens), self.further_tokens(condition))
        text = Node(np.repeat(self.text_tokens(condition)[None], len(tokens), axis=0))
        for number in range(self.doubles):
            image, text = self._double(tape, f"{names.doubles}.{number}.", image, text, vector)
        both = tape.join([image, text], 1)
        for number in range(self.singles):
            both = self._single(tape, f"{names.singles}.{number}.", both, vector)
        image = tape.split(both, [length], 1)[0]
        shift, scale = self._modulation(names.head_modulation, vector, 2)
        return self.linear(tape, names.head, tape.norm(image, 1 + scale, shift))

    def text_tokens(self, condition: Condition) -> Array:
        """The tokens of the text stream (tokens, width)."""
        return self.dense(self.names.words, condition.text).astype(np.float32)

    def further_tokens(self, condition: Condition) -> Array | None:
        """Tokens that stand in the image stream behind the noisy ones and are not predicted."""
        return None

    @staticmethod
    def _with_further(tokens: Array, further: Array | None) -> Node:
        if further is None:
            return Node(tokens)
        return Node(np.concatenate([tokens, np.repeat(further[None], len(tokens), axis=0)], axis=1))

    def _vector(self, timestep: float, condition: Condition) -> Array:
        names = self.names
        vector = self.two_layers(*names.time, waves(timestep * 1000))
        vector = vector + self.two_layers(*names.guidance, waves(condition.guidance * 1000))
        return vector if condition.pooled is None else vector + self.two_layers(*names.pooled, condition.pooled)

    def _modulation(self, name: str, vector: Array, parts: int) -> Array:
        return self.dense(name, vector).reshape(parts, self.width).astype(np.float32)

    def _double(self, tape: Tape, block: str, image: Node, text: Node, vector: Array) -> tuple[Node, Node]:
        streams = ((self.names.image, image), (self.names.text, text))
        changes = [self._modulation(block + stream.modulation, vector, 6) for stream, _ in streams]
        asked = [
            self._queries(tape, block, stream, tape.norm(x, 1 + change[1], change[0]))
            for (stream, x), change in zip(streams, changes, strict=True)
        ]
        query, key, value = (tape.join(parts, 1) for parts in zip(*asked, strict=True))
        found = tape.attention(query, key, value)
        answers = tape.split(found, [image.value.shape[1], text.value.shape[1]], 1)
        first, second = (
            self._finish(tape, block, stream, x, answer, change)
            for (stream, x), answer, change in zip(streams, answers, changes, strict=True)
        )
        return first, second

    def _queries(self, tape: Tape, block: str, stream: Stream, x: Node) -> tuple[Node, Node, Node]:
        query, key, value = tape.split(self._joined(tape, block, stream.qkv, x), [self.width] * 3, -1)
        return *self._normed(tape, block, stream.norms, query, key), value

    def _normed(self, tape: Tape, block: str, norms: tuple[str, str], query: Node, key: Node) -> tuple[Node, Node]:
        first, second = (self.weights[f"{block}{norm}.weight"] for norm in norms)
        return tape.rms_norm(query, first), tape.rms_norm(key, second)

    def _joined(self, tape: Tape, block: str, names: tuple[str, ...], x: Node) -> Node:
        parts = [self.linear(tape, block + name, x) for name in names]
        return parts[0] if len(parts) == 1 else tape.join(parts, -1)

    def _finish(self, tape: Tape, block: str, stream: Stream, x: Node, answer: Node, change: Array) -> Node:
        x = tape.add(x, self.linear(tape, block + stream.out, answer), change[2])
        inner = self.linear(tape, block + stream.mlp[0], tape.norm(x, 1 + change[4], change[3]))
        return tape.add(x, self.linear(tape, block + stream.mlp[1], tape.gelu(inner)), change[5])

    def _single(self, tape: Tape, block: str, x: Node, vector: Array) -> Node:
        names = self.names
        shift, scale, gate = self._modulation(block + names.single_modulation, vector, 3)
        joined = self._joined(tape, block, names.single_in, tape.norm(x, 1 + scale, shift))
        query, key, value, inner = tape.split(joined, [self.width] * 4, -1)
        query, key = self._normed(tape, block, names.single_norms, query, key)
        found = tape.attention(query, key, value)
        both = tape.join([found, tape.gelu(inner)], -1)
        return tape.add(x, self.linear(tape, block + names.single_out, both), gate)
