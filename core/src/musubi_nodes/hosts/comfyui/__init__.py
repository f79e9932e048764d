"""ComfyUI as host. Only this package imports ComfyUI or torch, and only when a node runs there."""

from __future__ import annotations


def mappings(pack: str = "musubi-nodes") -> tuple[dict[str, type], dict[str, str]]:
    """``NODE_CLASS_MAPPINGS`` and ``NODE_DISPLAY_NAME_MAPPINGS`` of all plugins; adds the page's routes,
    looks at what is queued, and loads the plugins once the server has started.

    ``pack`` is the clone's folder name, below which ComfyUI serves its pages.
    """
    from musubi_nodes.hosts.comfyui.early import load_when_started
    from musubi_nodes.hosts.comfyui.queued import listen
    from musubi_nodes.hosts.comfyui.routes import add_routes
    from musubi_nodes.hosts.comfyui.start import classes
    from musubi_nodes.log import log
    from musubi_nodes.media.ffmpeg import too_old

    if warning := too_old():
        log.warning("%s: %s", pack, warning)
    add_routes(pack)
    listen()
    load_when_started()
    return classes()
