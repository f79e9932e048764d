"""All known kinds of weights files."""

from __future__ import annotations

from collections.abc import Iterable

from musubi_nodes.families.node import Node
from musubi_nodes.families.recognition.dits import DITS
from musubi_nodes.families.recognition.encoders import ENCODERS
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.vaes import VAES

TABLE = (*DITS, *VAES, *ENCODERS)


def known_kinds(nodes: Iterable[type[Node]]) -> tuple[WeightsKind, ...]:
    """Return kinds that nodes accept, then the core's; the first wins ties."""
    declared = (kind for node in nodes for spec in node.fields() if spec.accepts for kind in spec.accepts.kinds)
    return (*dict.fromkeys(declared), *TABLE)
