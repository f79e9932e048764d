"""HunyuanVideo 1.5: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_hunyuan_1_5.nodes import HUNYUAN_1_5

    return HUNYUAN_1_5


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The five nodes."""
    from musubi_nodes_hunyuan_1_5.nodes import NODES

    return NODES
