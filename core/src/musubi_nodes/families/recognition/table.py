"""All known kinds of weights files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from musubi_nodes.families.node import Node
from musubi_nodes.families.recognition.accepts import Accepts
from musubi_nodes.families.recognition.dits import DITS
from musubi_nodes.families.recognition.encoders import ENCODERS
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.families.recognition.vaes import VAES

TABLE = (*DITS, *VAES, *ENCODERS)
Versions = Mapping[str, tuple[str, ...]]


def accepts_known(*names: str, versions: Versions = MappingProxyType({}), **reading: Any) -> Accepts:
    """Accept kinds of the core's table; the first names them in messages.

    ``versions``: versions or tasks by kind. ``reading`` are further fields of :class:`Accepts`. Raises ValueError for
    an unknown name.
    """
    if unknown := set(names).difference(kind.name for kind in TABLE):
        raise ValueError(f"the table of known kinds has none that is called {', '.join(sorted(unknown))}")
    kinds = (replace(kind, tasks=versions.get(kind.name, ())) for kind in TABLE if kind.name in names)
    return Accepts(names[0], tuple(kinds), **reading)


def known_kinds(nodes: Iterable[type[Node]]) -> tuple[WeightsKind, ...]:
    declared = (kind for node in nodes for spec in node.fields() if spec.accepts for kind in spec.accepts.kinds)
    return (*dict.fromkeys(declared), *TABLE)
