"""Kinds of weights files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from musubi_nodes.families.recognition.quantisation import PLAIN, Quantisation, quantisation_of
from musubi_nodes.weights import Header

Shape = tuple["int | None", ...]
"""Leading dimensions; ``None`` for any size."""

PREFIXES = (
    *("", "model.diffusion_model.", "diffusion_model.", "model.", "transformer.", "net.", "module.", "vae."),
    *("first_stage_model.", "encoder.", "language_model.", "model.language_model.", "cond_stage_model.transformer."),
)


@dataclass(frozen=True, eq=False)
class WeightsKind:
    """A kind of weights file, identified by its tensors.

    ``name`` is for messages, ``without`` lists absent names, ``tasks`` are values of the models' field ``task``.
    ``prefixes`` are those that its loader reads, where they aren't those of the field.
    """

    name: str
    tensors: Mapping[str, Shape] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """Specificity: the most specific of several kinds wins."""
        sides = sum(side is not None for shape in self.tensors.values() for side in shape)
        return 3 * sides + len(self.tensors) + len(self.without) + len(self.metadata)

    def fits(self, header: Header, prefix: str = "") -> bool:
        """Whether ``header``, with ``prefix``, is of this kind."""
        tensors = header.tensors
        return (
            all(key in header.metadata for key in self.metadata)
            and all(_has(header, prefix + name, shape) for name, shape in self.tensors.items())
            and not any(prefix + name in tensors for name in self.without)
        )


@dataclass(frozen=True)
class Recognised:
    """Kind, prefix and quantisation of a file."""

    kind: WeightsKind | None = None
    prefix: str = ""
    quantisation: Quantisation = PLAIN

    @property
    def name(self) -> str:
        return ", ".join(filter(None, (self.kind.name if self.kind else "", self.quantisation.name)))


def recognise(header: Header, kinds: Iterable[WeightsKind]) -> Recognised:
    found = [(kind, prefix) for kind in kinds for prefix in PREFIXES if kind.fits(header, prefix)]
    quantisation = quantisation_of(header)
    if not found:
        return Recognised(quantisation=quantisation)
    kind, prefix = max(found, key=lambda each: each[0].weight)
    return Recognised(kind, prefix, quantisation)


def _has(header: Header, name: str, shape: Shape) -> bool:
    tensor = header.tensors.get(name)
    return tensor is not None and (
        len(tensor.shape) >= len(shape)
        and all(wanted in (None, side) for wanted, side in zip(shape, tensor.shape, strict=False))
    )
