"""A real but tiny Wan transformer: two blocks of self attention, cross attention and feed-forward, and one head."""

from __future__ import annotations

from collections.abc import Mapping

from .dit import ToyDiT, silu, waves
from .families import Condition
from .tape import Node, Tape
from .tensors import Array


class WanDiT(ToyDiT):
    """Text and image are seen by cross attention; the time moves shifts, scales and gates."""

    patch = "patch_embedding"

    def __init__(self, weights: Mapping[str, Array]) -> None:
        super().__init__(weights)
        self.blocks = self.blocks_of("blocks")

    def linear_modules(self) -> list[str]:
        names = [name.removesuffix(".weight") for name in self.weights if name.endswith(".weight")]
        return sorted(name for name in names if name.startswith("blocks.") and "norm" not in name)

    def forward(self, tape: Tape, tokens: Array, timestep: float, condition: Condition) -> Node:
        time = self.two_layers("time_embedding.0", "time_embedding.2", waves(timestep * 1000))
        modulation = self.dense("time_projection.1", silu(time)).reshape(6, self.width)
        text = self.two_layers("text_embedding.0", "text_embedding.2", condition.text)[None]
        image = None if condition.image is None else self._embed_image(condition.image)
        x = Node(self.embed(tokens))
        for number in range(self.blocks):
            x = self._block(tape, f"blocks.{number}", x, modulation, text, image)
        shift, scale = self.weights["head.modulation"][0] + time
        return self.linear(tape, "head.head", tape.norm(x, 1 + scale, shift))

    def _block(self, tape: Tape, name: str, x: Node, time: Array, text: Array, image: Array | None) -> Node:
        e = self.weights[f"{name}.modulation"][0] + time
        own = tape.norm(x, 1 + e[1], e[0])
        x = tape.add(x, self._attend(tape, f"{name}.self_attn", own, own), e[2])
        asked = tape.norm(x, self.weights[f"{name}.norm3.weight"], self.weights[f"{name}.norm3.bias"])
        x = tape.add(x, self._attend(tape, f"{name}.cross_attn", asked, Node(text), image))
        inner = tape.gelu(self.linear(tape, f"{name}.ffn.0", tape.norm(x, 1 + e[4], e[3])))
        return tape.add(x, self.linear(tape, f"{name}.ffn.2", inner), e[5])

    def _attend(self, tape: Tape, name: str, x: Node, context: Node, image: Array | None = None) -> Node:
        query = tape.rms_norm(self.linear(tape, f"{name}.q", x), self.weights[f"{name}.norm_q.weight"])
        key = tape.rms_norm(self.linear(tape, f"{name}.k", context), self.weights[f"{name}.norm_k.weight"])
        found = tape.attention(*_alike(query, key, self.linear(tape, f"{name}.v", context)))
        if image is not None and f"{name}.k_img.weight" in self.weights:
            seen = Node(image)
            key = tape.rms_norm(self.linear(tape, f"{name}.k_img", seen), self.weights[f"{name}.norm_k_img.weight"])
            found = tape.add(found, tape.attention(*_alike(query, key, self.linear(tape, f"{name}.v_img", seen))))
        return self.linear(tape, f"{name}.o", found)

    def _embed_image(self, tokens: Array) -> Array | None:
        if "img_emb.proj.1.weight" not in self.weights:
            return None
        return self.two_layers("img_emb.proj.1", "img_emb.proj.3", tokens)[None]


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
