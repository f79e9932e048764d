"""Heron: registers the family, its nodes, and what it knows about its scripts' errors."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Explanation, Failure, Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_heron.family import HERON

    return HERON


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The five nodes."""
    from musubi_nodes_heron.nodes import NODES

    return NODES


@hookimpl
def musubi_explain_error(failure: Failure) -> Explanation | None:
    """What only these scripts say."""
    from musubi_nodes_heron.explain import explain

    return explain(failure)
