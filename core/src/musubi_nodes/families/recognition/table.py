"""All kinds of weights files that are known here: the core's, and those that the fields of models nodes declare."""

from __future__ import annotations

from collections.abc import Iterable

from musubi_nodes.families.node import Node
from musubi_nodes.families.recognition.dits import DITS
from musubi_nodes.families.recognition.encoders import ENCODERS
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.vaes import VAES

TABLE = (*DITS, *VAES, *ENCODERS)
"""The core's."""


def known_kinds(nodes: Iterable[type[Node]]) -> tuple[WeightsKind, ...]:
    """What the nodes' fields take comes first, so that it wins over another kind that asks for as much."""
    declared = (kind for node in nodes for spec in node.fields() if spec.accepts for kind in spec.accepts.kinds)
    return (*dict.fromkeys(declared), *TABLE)
