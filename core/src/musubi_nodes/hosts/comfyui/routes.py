"""HTTP routes: failed plugins, runs, logs, and stopping a training.

GET changes nothing. POST accepts only JSON, which a foreign page can't send.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import is_own
from musubi_nodes.hosts.comfyui.help_pages import add_help
from musubi_nodes.hosts.comfyui.server import running_server
from musubi_nodes.runs.record.folder import run_named
from musubi_nodes.runs.record.tail import log_text

if TYPE_CHECKING:
    from aiohttp import web


MOST_RUNS = 100
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


def add_routes(pack: str) -> None:
    routes = getattr(running_server(), "routes", None)
    if routes is None:
        return
    from aiohttp import web

    @routes.get("/musubi/plugins")
    async def left_out(request: web.Request) -> web.Response:
        from musubi_nodes.plugins.manager import plugins

        failed = await asyncio.to_thread(lambda: plugins().failed)
        return web.json_response({"left_out": {name: _error_body(error) for name, error in failed.items()}})

    add_help(routes, pack)

    @routes.get("/musubi/runs")
    async def runs(request: web.Request) -> web.Response:
        from musubi_nodes.hosts.comfyui.host import comfy_host
        from musubi_nodes.hosts.comfyui.run_state import listed

        query, output = request.query, comfy_host().output_folder
        newest = min(_number(query.get("newest"), MOST_RUNS), MOST_RUNS)
        of = query.getall("class", []), query.get("workflow")
        return web.json_response(await asyncio.to_thread(listed, output, newest, *of))

    @routes.get("/musubi/runs/{name}")
    async def run(request: web.Request) -> web.Response:
        from musubi_nodes.hosts.comfyui.host import comfy_host
        from musubi_nodes.hosts.comfyui.run_state import state

        output, query = comfy_host().output_folder, request.query
        after, version = _number(query.get("after"), -1), _number(query.get("version"), -1)

        def told() -> dict[str, Any]:
            return state(run_named(output, request.match_info["name"]), output, after, version)

        try:
            return web.json_response(await asyncio.to_thread(told))
        except MusubiError as error:
            return web.json_response(_error_body(error), status=404)

    @routes.get("/musubi/runs/{name}/log")
    async def log(request: web.Request) -> web.StreamResponse:
        from musubi_nodes.hosts.comfyui.host import comfy_host

        try:
            found = await asyncio.to_thread(_log_of, comfy_host().output_folder, request.match_info["name"])
        except MusubiError as error:
            return web.json_response(_error_body(error), status=404)
        answer = web.StreamResponse(headers=PLAIN)
        await answer.prepare(request)
        with closing(log_text(found)) as texts:
            while (text := await asyncio.to_thread(next, texts, None)) is not None:
                await answer.write(text.encode())
        return answer

    @routes.post("/musubi/runs/{name}/stop")
    async def stop(request: web.Request) -> web.Response:
        from musubi_nodes.hosts.comfyui.host import comfy_host

        if request.content_type != "application/json":
            return web.json_response({"error": "send application/json", "code": "not-json"}, status=415)
        output, name = comfy_host().output_folder, request.match_info["name"]
        try:
            await asyncio.to_thread(lambda: run_named(output, name).ask_to_stop())
        except MusubiError as error:
            return web.json_response(_error_body(error), status=409)
        return web.json_response({})


def _error_body(error: MusubiError) -> dict[str, str]:
    return {"error": str(error), "code": error.code}


def _log_of(output: Path, name: str) -> Path:
    """Return a run's log, unless it is a link."""
    folder = run_named(output, name)
    if not is_own(folder.log):
        raise MusubiError(
            "log-missing", f"the run {name} has no log", fix="Look into its folder in output/musubi/runs."
        )
    return folder.log


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else default
