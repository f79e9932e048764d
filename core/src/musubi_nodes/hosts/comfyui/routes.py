"""HTTP routes: failed plugins, runs, logs, and stopping a training.

GET changes nothing. POST accepts only JSON, which a foreign page can't send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import is_own
from musubi_nodes.hosts.comfyui.help_pages import add_help
from musubi_nodes.hosts.comfyui.server import running_server
from musubi_nodes.runs.record.folder import RunFolder, run_named
from musubi_nodes.runs.record.tail import log_text

if TYPE_CHECKING:
    from aiohttp import web


MOST_RUNS = 100
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}

Handler = Callable[["web.Request"], Any]
"""Returns JSON; it runs in a thread."""


def add_routes(pack: str) -> None:
    routes = getattr(running_server(), "routes", None)
    if routes is None:
        return
    add_help(routes, pack)
    for path, handler in GET.items():
        routes.get(path)(partial(_answer, handler, 404))
    routes.get("/musubi/runs/{name}/log")(_log)
    routes.post("/musubi/runs/{name}/stop")(_stop)


async def _answer(handler: Handler, failed: int, request: web.Request) -> web.Response:
    """Return the handler's JSON, or its MusubiError with the status ``failed``."""
    from aiohttp import web

    try:
        return web.json_response(await asyncio.to_thread(handler, request))
    except MusubiError as error:
        return web.json_response(_error_body(error), status=failed)


def _left_out(request: web.Request) -> Any:
    from musubi_nodes.plugins.manager import plugins

    return {"left_out": {name: _error_body(error) for name, error in plugins().failed.items()}}


def _runs(request: web.Request) -> Any:
    from musubi_nodes.hosts.comfyui.run_state import listed

    query = request.query
    newest = min(_number(query.get("newest"), MOST_RUNS), MOST_RUNS)
    return listed(_output(), newest, query.getall("class", []), query.get("workflow"))


def _run(request: web.Request) -> Any:
    from musubi_nodes.hosts.comfyui.run_state import state

    after, version = (_number(request.query.get(name), -1) for name in ("after", "version"))
    return state(_asked(request), _output(), after, version)


GET: Mapping[str, Handler] = {
    "/musubi/plugins": _left_out,
    "/musubi/runs": _runs,
    "/musubi/runs/{name}": _run,
}


async def _log(request: web.Request) -> web.StreamResponse:
    from aiohttp import web

    try:
        found = await asyncio.to_thread(_log_of, request)
    except MusubiError as error:
        return web.json_response(_error_body(error), status=404)
    answer = web.StreamResponse(headers=PLAIN)
    await answer.prepare(request)
    with closing(log_text(found)) as texts:
        while (text := await asyncio.to_thread(next, texts, None)) is not None:
            await answer.write(text.encode())
    return answer


async def _stop(request: web.Request) -> web.Response:
    from aiohttp import web

    if request.content_type != "application/json":
        return web.json_response({"error": "send application/json", "code": "not-json"}, status=415)
    return await _answer(_ask_to_stop, 409, request)


def _ask_to_stop(request: web.Request) -> Any:
    _asked(request).ask_to_stop()
    return {}


def _output() -> Path:
    from musubi_nodes.hosts.comfyui.host import comfy_host

    return comfy_host().output_folder


def _asked(request: web.Request) -> RunFolder:
    return run_named(_output(), request.match_info["name"])


def _error_body(error: MusubiError) -> dict[str, str]:
    return {"error": str(error), "code": error.code}


def _log_of(request: web.Request) -> Path:
    """Return a run's log, unless it is a link."""
    folder = _asked(request)
    if not is_own(folder.log):
        raise MusubiError(
            "log-missing", f"the run {folder.path.name} has no log", fix="Look into its folder in output/musubi/runs."
        )
    return folder.log


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else default
