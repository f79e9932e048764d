"""What the page asks for beside nodes: plugins that were left out, and the end of a training after its next save.

GET changes nothing. POST takes JSON only, which a foreign page cannot send without the server's leave.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import SAFE_NAME
from musubi_nodes.hosts.comfyui.help_pages import add_help
from musubi_nodes.runs.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web


def add_routes(pack: str) -> None:
    """Add them to the running server; a process without one (a test, an executor of its own) needs none."""
    instance = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    routes = getattr(instance, "routes", None)
    if routes is None:
        return
    from aiohttp import web

    @routes.get("/musubi/plugins")
    async def left_out(request: web.Request) -> web.Response:
        from musubi_nodes.plugins.manager import plugins

        return web.json_response({"left_out": plugins().failed})

    add_help(routes, pack)

    @routes.post("/musubi/runs/{name}/stop")
    async def stop(request: web.Request) -> web.Response:
        from musubi_nodes.hosts.comfyui.host import comfy_host

        if request.content_type != "application/json":
            return web.json_response({"error": "send application/json"}, status=415)
        try:
            run_named(comfy_host().output_folder, request.match_info["name"]).ask_to_stop()
        except MusubiError as error:
            return web.json_response({"error": str(error)}, status=409)
        return web.json_response({})


def run_named(output: Path, name: str) -> RunFolder:
    """The run folder called ``name``; a :class:`MusubiError` for anything that is not one below ``output``."""
    folder = output / "musubi" / "runs" / name
    if not SAFE_NAME.fullmatch(name) or name.startswith(".") or not folder.is_dir():
        raise MusubiError(f"there is no run {name[:120]!r}", fix="Name a folder of output/musubi/runs.")
    return RunFolder(folder)
