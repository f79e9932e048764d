"""A kind of weights file, and which kind a header is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from musubi_nodes.families.recognition.quantisation import PLAIN, Quantisation, quantisation_of
from musubi_nodes.weights import Header

Shape = tuple["int | None", ...]
"""The first sides of a tensor; ``None`` for any size, an empty tuple for any shape."""

PREFIXES = (
    *("", "model.diffusion_model.", "diffusion_model.", "model.", "transformer.", "net.", "module.", "vae."),
    *("first_stage_model.", "encoder.", "language_model.", "model.language_model.", "cond_stage_model.transformer."),
)
"""What programs put before the names of a model's tensors."""


@dataclass(frozen=True, eq=False)
class WeightsKind:
    """A kind of weights file, told by tensors that every file of the kind has.

    ``name`` is a phrase for messages, such as ``Wan 2.1's VAE`` or ``a FLUX.1 DiT``. ``tensors`` are the names with
    their shapes, ``without`` are names that no file of the kind has, ``metadata`` keys of its metadata. ``tasks``: the
    values of the models' field ``task`` that it is for; none for models without tasks.
    """

    name: str
    tensors: Mapping[str, Shape] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """How much the kind asks for, a size more than a name: of several that a file fits, the one that asks for most
        tells what it is."""
        sides = sum(side is not None for shape in self.tensors.values() for side in shape)
        return 3 * sides + len(self.tensors) + len(self.without) + len(self.metadata)

    def fits(self, header: Header, prefix: str = "") -> bool:
        """Whether ``header`` is of this kind, its names beginning with ``prefix``."""
        tensors = header.tensors
        return (
            all(key in header.metadata for key in self.metadata)
            and all(_has(header, prefix + name, shape) for name, shape in self.tensors.items())
            and not any(prefix + name in tensors for name in self.without)
        )


@dataclass(frozen=True)
class Recognised:
    """What a file is: its kind (``None``: unknown), what stands before its tensors' names, how it is quantised."""

    kind: WeightsKind | None = None
    prefix: str = ""
    quantisation: Quantisation = PLAIN

    @property
    def name(self) -> str:
        """The kind's name, with how it is quantised; empty where nothing is known."""
        return ", ".join(filter(None, (self.kind.name if self.kind else "", self.quantisation.name)))


def recognise(header: Header, kinds: Iterable[WeightsKind]) -> Recognised:
    """The kind that ``header`` fits; of several the one that asks for most."""
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
