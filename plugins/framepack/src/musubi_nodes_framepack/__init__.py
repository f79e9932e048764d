"""FramePack: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Explanation, Failure, Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_framepack.family import FRAMEPACK

    return FRAMEPACK


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The six nodes."""
    from musubi_nodes_framepack.nodes import NODES

    return NODES


@hookimpl
def musubi_explain_error(failure: Failure) -> Explanation | None:
    """What only FramePack's scripts say."""
    from musubi_nodes_framepack.explain import explain

    return explain(failure)
