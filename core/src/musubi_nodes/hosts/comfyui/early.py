"""Background loading at startup, to keep it out of the event loop."""

from __future__ import annotations

import contextlib
import threading

from musubi_nodes.hosts.comfyui.server import running_server


def load_when_started() -> None:
    server = running_server()
    if server is None or not hasattr(server, "app"):
        return

    async def begin(_: object) -> None:
        threading.Thread(target=load, name="musubi-early", daemon=True).start()

    server.app.on_startup.append(begin)


def load() -> None:
    """Load now; errors recur at first use."""
    with contextlib.suppress(Exception):
        _load()


def _load() -> None:
    import imageio_ffmpeg  # noqa: F401
    import numpy as np  # noqa: F401
    import PIL.Image  # noqa: F401

    from musubi_nodes.hosts import texts  # noqa: F401
    from musubi_nodes.hosts.comfyui import host, media, run_state  # noqa: F401
    from musubi_nodes.hosts.comfyui.emit import input_types
    from musubi_nodes.parsing import toml
    from musubi_nodes.plugins.manager import plugins

    toml()
    found = plugins()
    for node in found.nodes:
        input_types(node, found)
