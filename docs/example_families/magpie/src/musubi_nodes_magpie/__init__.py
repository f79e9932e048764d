"""Magpie: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_magpie.nodes import MAGPIE

    return MAGPIE


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The five nodes."""
    from musubi_nodes_magpie.nodes import NODES

    return NODES
