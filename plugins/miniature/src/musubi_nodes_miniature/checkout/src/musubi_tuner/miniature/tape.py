"""Reverse-mode differentiation over the few operations of the toy DiTs, on batches (windows, tokens, width)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .tensors import Array

EPSILON = 1e-6


class Node:
    """A value, and the gradient of the loss towards it once it was propagated."""

    __slots__ = ("grad", "value")

    def __init__(self, value: Array) -> None:
        self.value = value
        self.grad: Array | None = None

    def add_grad(self, grad: Array) -> None:
        """Gradients of several uses add up."""
        self.grad = grad if self.grad is None else self.grad + grad


class Tape:
    """Runs operations and remembers how to go back, unless ``learning`` is off."""

    def __init__(self, learning: bool = True) -> None:
        self.learning = learning
        self._back: list[Callable[[], None]] = []

    def _record(self, node: Node, back: Callable[[Array], None]) -> Node:
        if self.learning:
            self._back.append(lambda: back(node.grad) if node.grad is not None else None)
        return node

    def backward(self, node: Node, grad: Array) -> None:
        """Propagate ``grad`` of ``node`` to everything that it was made of."""
        node.add_grad(grad)
        for step in reversed(self._back):
            step()
        self._back.clear()

    def linear(self, x: Node, weight: Array, bias: Array, low_rank: LowRank | None = None) -> Node:
        """``x W^T + b``, plus the scaled low-rank part where a module has one."""
        value = x.value @ weight.T + bias
        if low_rank is None:
            return self._record(Node(value), lambda grad: x.add_grad(grad @ weight))
        inner = x.value @ low_rank.down.T
        node = Node(value + (inner @ low_rank.up.T) * low_rank.scale)

        def back(grad: Array) -> None:
            scaled = grad * low_rank.scale
            towards_inner = scaled @ low_rank.up
            low_rank.up_grad += _outer(scaled, inner)
            low_rank.down_grad += _outer(towards_inner, x.value)
            x.add_grad(grad @ weight + towards_inner @ low_rank.down)

        return self._record(node, back)

    def norm(self, x: Node, scale: Array | float, shift: Array | float) -> Node:
        """Layer normalisation, then fixed ``scale`` and ``shift``."""
        centred = x.value - x.value.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        unit = centred / deviation

        def back(grad: Array) -> None:
            g = grad * scale
            inner = (g * unit).mean(axis=-1, keepdims=True)
            x.add_grad((g - g.mean(axis=-1, keepdims=True) - unit * inner) / deviation)

        return self._record(Node(unit * scale + shift), back)

    def rms_norm(self, x: Node, weight: Array) -> Node:
        """Division by the root mean square, as Wan does with queries and keys."""
        size = np.sqrt((x.value**2).mean(axis=-1, keepdims=True) + EPSILON)
        unit = x.value / size

        def back(grad: Array) -> None:
            g = grad * weight
            x.add_grad((g - unit * (g * unit).mean(axis=-1, keepdims=True)) / size)

        return self._record(Node(unit * weight), back)

    def attention(self, query: Node, key: Node, value: Node) -> Node:
        """One head of attention."""
        factor = float(query.value.shape[-1]) ** -0.5
        scores = (query.value @ key.value.swapaxes(-1, -2)) * factor
        raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = raised / raised.sum(axis=-1, keepdims=True)

        def back(grad: Array) -> None:
            value.add_grad(weights.swapaxes(-1, -2) @ grad)
            g = grad @ value.value.swapaxes(-1, -2)
            g = weights * (g - (g * weights).sum(axis=-1, keepdims=True)) * factor
            query.add_grad(g @ key.value)
            key.add_grad(g.swapaxes(-1, -2) @ query.value)

        return self._record(Node(weights @ value.value), back)

    def gelu(self, x: Node) -> Node:
        """The usual approximation by tanh."""
        root = 0.7978845608
        bent = np.tanh(root * x.value * (1 + 0.044715 * x.value**2))

        def back(grad: Array) -> None:
            slope = root * (1 + 3 * 0.044715 * x.value**2)
            x.add_grad(grad * (0.5 * (1 + bent) + 0.5 * x.value * (1 - bent**2) * slope))

        return self._record(Node(0.5 * x.value * (1 + bent)), back)

    def add(self, x: Node, y: Node, gate: Array | float = 1.0) -> Node:
        """``x + gate y``."""

        def back(grad: Array) -> None:
            x.add_grad(grad)
            y.add_grad(grad * gate)

        return self._record(Node(x.value + y.value * gate), back)

    def join(self, nodes: Sequence[Node], axis: int) -> Node:
        """Several nodes as one, one behind the other along ``axis``."""
        ends = np.cumsum([node.value.shape[axis] for node in nodes])[:-1]

        def back(grad: Array) -> None:
            for node, piece in zip(nodes, np.split(grad, ends, axis), strict=True):
                node.add_grad(piece)

        return self._record(Node(np.concatenate([node.value for node in nodes], axis)), back)

    def split(self, x: Node, sizes: Sequence[int], axis: int) -> list[Node]:
        """The parts of a node, of ``sizes`` along ``axis``."""
        ends = np.cumsum(sizes)
        return [self._part(x, end - size, end, axis) for size, end in zip(sizes, ends, strict=True)]

    def _part(self, x: Node, start: int, end: int, axis: int) -> Node:
        place = [slice(None)] * x.value.ndim
        place[axis] = slice(start, end)

        def back(grad: Array) -> None:
            whole = np.zeros_like(x.value)
            whole[tuple(place)] = grad
            x.add_grad(whole)

        return self._record(Node(x.value[tuple(place)]), back)


class LowRank:
    """The two trained matrices of one module and their gradients; ``scale`` is alpha / rank."""

    def __init__(self, down: Array, up: Array, scale: float) -> None:
        self.down, self.up, self.scale = down, up, scale
        self.down_grad, self.up_grad = np.zeros_like(down), np.zeros_like(up)


def _outer(left: Array, right: Array) -> Array:
    """The sum over all tokens of ``left`` x ``right``."""
    flat: Array = left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])
    return flat
