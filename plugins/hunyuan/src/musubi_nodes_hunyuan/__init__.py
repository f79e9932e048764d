"""HunyuanVideo: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Explanation, Failure, Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_hunyuan.family import HUNYUAN

    return HUNYUAN


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The five nodes."""
    from musubi_nodes_hunyuan.nodes import NODES

    return NODES


@hookimpl
def musubi_explain_error(failure: Failure) -> Explanation | None:
    """What only HunyuanVideo's scripts say."""
    from musubi_nodes_hunyuan.explain import explain

    return explain(failure)
