"""Z-Image: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_z_image.nodes import Z_IMAGE

    return Z_IMAGE


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The six nodes."""
    from musubi_nodes_z_image.fine_tuner import ZImageFineTuner
    from musubi_nodes_z_image.nodes import NODES

    return (*NODES, ZImageFineTuner)
