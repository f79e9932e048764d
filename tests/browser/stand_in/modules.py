"""The modules of ComfyUI that the pack imports, as far as it uses them (ComfyUI 0.3.64)."""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from aiohttp import web

KINDS = ("loras", "diffusion_models", "vae", "text_encoders", "clip_vision")
TEXT = 3
"""Binary event of a line of text in a node."""


class InterruptProcessingException(Exception):
    """What ComfyUI raises in a node that was cancelled."""


class Server:
    """``PromptServer.instance``: routes that packs add to, and events to the page."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.routes = web.RouteTableDef()
        self.loop = loop
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.client_id: str | None = None
        self.prompt_queue: Any = None
        self.interrupted = threading.Event()

    def send_sync(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Send an event to one page or to all, from any thread, in order."""
        self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self.send(event, data, sid)))

    async def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Send an event; a page that has gone misses it."""
        for socket in [self.sockets.get(sid)] if sid else list(self.sockets.values()):
            if socket is None or socket.closed:
                continue
            try:
                if isinstance(event, int):
                    await socket.send_bytes(struct.pack(">I", event) + data)
                else:
                    await socket.send_json({"type": event, "data": data})
            except ConnectionError:
                pass

    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None:
        """A line of text in a node."""
        name = str(node_id).encode()
        self.send_sync(TEXT, struct.pack(">I", len(name)) + name + text.encode(), sid)

    def raise_if_interrupted(self) -> None:
        """``throw_exception_if_processing_interrupted``: the flag is taken."""
        if self.interrupted.is_set():
            self.interrupted.clear()
            raise InterruptProcessingException


def install(folder: Path, server: Server) -> None:
    """Put the modules where imports find them; ``folder`` gets models, input, output, temp and user."""
    models = {kind: folder / "models" / kind for kind in KINDS}
    places = {name: folder / name for name in ("input", "output", "temp", "user")}
    for each in (*models.values(), *places.values()):
        each.mkdir(parents=True, exist_ok=True)

    class ProgressBar:
        def __init__(self, total: int, node_id: str) -> None:
            self.total, self.node_id = total, node_id

        def update_absolute(self, value: int, total: int) -> None:
            server.prompt_queue.progress(self.node_id, value, total)

    def names(kind: str) -> list[str]:
        return sorted(path.relative_to(models[kind]).as_posix() for path in models[kind].rglob("*") if path.is_file())

    _module(
        "folder_paths",
        get_folder_paths=lambda kind: [str(models[kind])],
        get_filename_list=names,
        **{f"get_{name}_directory": lambda path=path: str(path) for name, path in places.items()},
    )
    _module("server", PromptServer=SimpleNamespace(instance=server))
    _module("comfy.cli_args", args=SimpleNamespace(listen="127.0.0.1", disable_metadata=False))
    _module("comfy.utils", ProgressBar=ProgressBar)
    management = _module(
        "comfy.model_management",
        InterruptProcessingException=InterruptProcessingException,
        processing_interrupted=server.interrupted.is_set,
        throw_exception_if_processing_interrupted=server.raise_if_interrupted,
        unload_all_models=lambda: None,
        soft_empty_cache=lambda: None,
    )
    _module("comfy", model_management=management, __path__=[])


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    return module
