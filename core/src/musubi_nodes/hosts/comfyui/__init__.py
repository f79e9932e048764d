"""ComfyUI as host, the only package that imports ComfyUI or torch."""

from __future__ import annotations


def mappings(pack: str = "musubi-nodes") -> tuple[dict[str, type], dict[str, str]]:
    """Register with ComfyUI and return its two node mappings.

    ``pack`` is the clone's folder name, under which ComfyUI serves its pages.
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
