"""A real but tiny Wan transformer: two blocks, one head, and attention within windows of tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .families import Condition
from .tape import LowRank, Node, Tape
from .tensors import Array

WINDOW = 96
"""Tokens that attend to one another; it keeps a full-size video affordable in numpy."""

FREQUENCIES = 256
PATCH = 2


def to_tokens(latent: Array) -> Array:
    """(channels, frames, h, w) to (frames * h/2 * w/2, channels * 4); an odd last row or column is dropped."""
    channels, frames, height, width = latent.shape
    rows, columns = height // PATCH, width // PATCH
    cut = latent[:, :, : rows * PATCH, : columns * PATCH]
    patches = cut.reshape(channels, frames, rows, PATCH, columns, PATCH).transpose(1, 2, 4, 0, 3, 5)
    return patches.reshape(frames * rows * columns, channels * PATCH * PATCH)


def to_latent(tokens: Array, shape: tuple[int, ...]) -> Array:
    """The way back for the head's order of values, patch position first; ``shape`` is the latent's."""
    channels, frames, height, width = shape
    rows, columns = height // PATCH, width // PATCH
    patches = tokens.reshape(frames, rows, columns, PATCH, PATCH, channels).transpose(5, 0, 1, 3, 2, 4)
    return patches.reshape(channels, frames, height, width)


def head_order(tokens: Array, channels: int) -> Array:
    """Patches in the order of the head: what a prediction is compared with."""
    split = tokens.reshape(len(tokens), channels, PATCH * PATCH)
    return split.swapaxes(1, 2).reshape(len(tokens), -1)


def to_windows(tokens: Array) -> Array:
    """(tokens, width) to (windows, at most 96, width); the last window is filled up from the beginning."""
    count = len(tokens)
    length = min(WINDOW, count)
    windows = math.ceil(count / length)
    return np.resize(tokens, (windows * length, tokens.shape[1])).reshape(windows, length, -1)


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


class ToyDiT:
    """Predicts the flow's velocity of windows of tokens. ``network`` adds low-rank parts to its linear modules."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = dict(weights)
        self.width = self.weights["patch_embedding.weight"].shape[0]
        self.blocks = len({name.split(".")[1] for name in self.weights if name.startswith("blocks.")})
        self.network: Mapping[str, LowRank] = {}

    def linear_modules(self) -> list[str]:
        """The linear modules inside the blocks, which a LoRA is made for, in upstream's order of creation."""
        names = [name.removesuffix(".weight") for name in self.weights if name.endswith(".weight")]
        return sorted(name for name in names if name.startswith("blocks.") and "norm" not in name)

    def predict(self, latent: Array, timestep: float, condition: Condition) -> Array:
        """The velocity of a whole latent, without learning; ``timestep`` is in 0..1."""
        tokens = to_windows(to_tokens(self.with_channels(latent, condition)))
        output = self.forward(Tape(learning=False), tokens, timestep, condition).value
        count = latent.shape[1] * (latent.shape[2] // PATCH) * (latent.shape[3] // PATCH)
        return to_latent(output.reshape(-1, output.shape[-1])[:count], latent.shape)

    def with_channels(self, latent: Array, condition: Condition) -> Array:
        """The latent with the further channels of image-to-video and control models."""
        return latent if condition.channels is None else np.concatenate([latent, condition.channels])

    def forward(self, tape: Tape, tokens: Array, timestep: float, condition: Condition) -> Node:
        """Windows of patches (windows, tokens, channels * 4) to velocities in the head's order."""
        embedded = tokens @ self._flat("patch_embedding").T + self.weights["patch_embedding.bias"]
        time, modulation = self._time(timestep)
        text = self._embed_text(condition.text)
        image = None if condition.image is None else self._embed_image(condition.image)
        x = Node(embedded.astype(np.float32))
        for number in range(self.blocks):
            x = self._block(tape, f"blocks.{number}", x, modulation, text, image)
        shift, scale = self.weights["head.modulation"][0] + time
        return self._linear(tape, "head.head", tape.norm(x, 1 + scale, shift))

    def _block(self, tape: Tape, name: str, x: Node, time: Array, text: Array, image: Array | None) -> Node:
        e = self.weights[f"{name}.modulation"][0] + time
        own = tape.norm(x, 1 + e[1], e[0])
        x = tape.add(x, self._attend(tape, f"{name}.self_attn", own, own), e[2])
        asked = tape.norm(x, self.weights[f"{name}.norm3.weight"], self.weights[f"{name}.norm3.bias"])
        x = tape.add(x, self._attend(tape, f"{name}.cross_attn", asked, Node(text), image))
        inner = tape.gelu(self._linear(tape, f"{name}.ffn.0", tape.norm(x, 1 + e[4], e[3])))
        return tape.add(x, self._linear(tape, f"{name}.ffn.2", inner), e[5])

    def _attend(self, tape: Tape, name: str, x: Node, context: Node, image: Array | None = None) -> Node:
        query = tape.rms_norm(self._linear(tape, f"{name}.q", x), self.weights[f"{name}.norm_q.weight"])
        key = tape.rms_norm(self._linear(tape, f"{name}.k", context), self.weights[f"{name}.norm_k.weight"])
        found = tape.attention(*_alike(query, key, self._linear(tape, f"{name}.v", context)))
        if image is not None and f"{name}.k_img.weight" in self.weights:
            seen = Node(image)
            key = tape.rms_norm(self._linear(tape, f"{name}.k_img", seen), self.weights[f"{name}.norm_k_img.weight"])
            found = tape.add(found, tape.attention(*_alike(query, key, self._linear(tape, f"{name}.v_img", seen))))
        return self._linear(tape, f"{name}.o", found)

    def _linear(self, tape: Tape, name: str, x: Node) -> Node:
        return tape.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.network.get(name))

    def _flat(self, name: str) -> Array:
        return self.weights[f"{name}.weight"].reshape(self.width, -1)

    def _time(self, timestep: float) -> tuple[Array, Array]:
        half = FREQUENCIES // 2
        angles = timestep * 1000 * np.power(10000.0, -np.arange(half) / half)
        wave = np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)
        time = self._dense("time_embedding.2", _silu(self._dense("time_embedding.0", wave)))
        return time, self._dense("time_projection.1", _silu(time)).reshape(6, self.width)

    def _embed_text(self, text: Array) -> Array:
        return self._dense("text_embedding.2", _silu(self._dense("text_embedding.0", text)))[None]

    def _embed_image(self, tokens: Array) -> Array | None:
        if "img_emb.proj.1.weight" not in self.weights:
            return None
        return self._dense("img_emb.proj.3", _silu(self._dense("img_emb.proj.1", tokens)))[None]

    def _dense(self, name: str, x: Array) -> Array:
        result: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result


def _alike(query: Node, key: Node, value: Node) -> tuple[Node, Node, Node]:
    """Context is shared by all windows: its node broadcasts, and its gradient is summed back over them."""
    windows = query.value.shape[0]
    return query, _repeated(key, windows), _repeated(value, windows)


def _repeated(node: Node, windows: int) -> Node:
    return node if node.value.shape[0] == windows else _Shared(node)


class _Shared(Node):
    """A node with one window that is used by many."""

    __slots__ = ("origin",)

    def __init__(self, origin: Node) -> None:
        super().__init__(origin.value)
        self.origin = origin

    def add_grad(self, grad: Array) -> None:
        self.origin.add_grad(grad.sum(axis=0, keepdims=True))
