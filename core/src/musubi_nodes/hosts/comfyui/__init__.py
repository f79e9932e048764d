"""ComfyUI as host. Only this package imports ComfyUI or torch, and only when a node runs there."""

from __future__ import annotations

from typing import Any


def mappings() -> tuple[dict[str, Any], dict[str, str]]:
    """``NODE_CLASS_MAPPINGS`` and ``NODE_DISPLAY_NAME_MAPPINGS`` of all plugins; adds the page's routes."""
    from musubi_nodes.hosts.comfyui.emit import emit
    from musubi_nodes.hosts.comfyui.routes import add_routes
    from musubi_nodes.plugins.manager import plugins

    found = plugins()
    add_routes(found)
    classes = {node.id: emit(node, found) for node in found.nodes}
    return classes, {node.id: node.title for node in found.nodes}
