"""What the first question of a page needs, loaded before it is asked: ComfyUI's event loop would wait for it."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from musubi_nodes.hosts.comfyui.server import running_server


def load_when_started() -> None:
    """Load it in a thread once the running server listens; a process without a server is asked nothing."""
    server = running_server()
    if server is None or not hasattr(server, "app"):
        return

    async def begin(_: Any) -> None:
        threading.Thread(target=load, name="musubi-early", daemon=True).start()

    server.app.on_startup.append(begin)


def load() -> None:
    """The same at once. What fails here fails again when it is asked for, and is told then."""
    with contextlib.suppress(Exception):
        _load()


def _load() -> None:
    """Import all that is imported late, and build what is built once; who asks before that is done does it himself."""
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
