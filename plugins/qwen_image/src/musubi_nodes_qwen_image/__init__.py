"""Qwen-Image: registers the family and its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Family, Node


@hookimpl
def musubi_register_family() -> Family:
    """The family as shared nodes see it."""
    from musubi_nodes_qwen_image.nodes import QWEN_IMAGE

    return QWEN_IMAGE


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """All nodes."""
    from musubi_nodes_qwen_image.extract import QwenImageLoRAExtractor
    from musubi_nodes_qwen_image.fine_tuner import QwenImageFineTuner
    from musubi_nodes_qwen_image.nodes import NODES

    return (*NODES, QwenImageFineTuner, QwenImageLoRAExtractor)
