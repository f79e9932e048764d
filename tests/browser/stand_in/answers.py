"""What the page asks a ComfyUI for (server.py and app/, 0.3.64)."""

from __future__ import annotations

import json
import mimetypes
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.browser.stand_in.modules import Server

from musubi_nodes.files import write_json

ROOT = Path(__file__).resolve().parents[3]
FIXED: dict[str, Any] = {
    "/embeddings": [],
    "/experiment/models": [],
    "/features": {"supports_preview_metadata": True, "max_upload_size": 100 << 20},
    "/system_stats": {
        "system": {"os": "posix", "comfyui_version": "0.3.64", "python_version": "3", "argv": [], "ram_total": 1 << 34},
        "devices": [],
    },
    "/userdata": [],
    "/users": {"storage": "server", "migrated": True},
    "/workflow_templates": {},
}
"""FileCache that never change. The ``/features`` and the version are those of 0.3.64."""


def application(
    server: Server, classes: Mapping[str, Any], titles: Mapping[str, str], packs: Mapping[str, Path], page: Path
) -> web.Application:
    """All routes, each with and without ``/api`` before it."""
    routes = server.routes
    settings: dict[str, Any] = {}
    userdata: dict[str, bytes] = {}

    for path, answer in FIXED.items():
        routes.get(path)(_answer(answer))

    @routes.get("/ws")
    async def events(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sid = request.query.get("clientId") or uuid.uuid4().hex
        server.sockets[sid] = socket
        await server.send("status", {"status": server.prompt_queue.info, "sid": sid}, sid)
        async for message in socket:
            if message.type == web.WSMsgType.TEXT and json.loads(message.data).get("type") == "feature_flags":
                await server.send("feature_flags", FIXED["/features"], sid)
        if server.sockets.get(sid) is socket:
            del server.sockets[sid]
        return socket

    @routes.get("/")
    async def index(request: web.Request) -> web.FileResponse:
        return web.FileResponse(page / "index.html")

    @routes.get("/object_info")
    async def object_info(request: web.Request) -> web.Response:
        return web.json_response({id_: _described(id_, cls, titles[id_]) for id_, cls in classes.items()})

    @routes.get("/extensions")
    async def extensions(request: web.Request) -> web.Response:
        found = [f"/extensions/{path.relative_to(page / 'extensions').as_posix()}"
                 for path in (page / "extensions").rglob("*.js")]  # fmt: skip
        for name, folder in packs.items():
            found += [f"/extensions/{name}/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.js")]
        return web.json_response(sorted(found))

    @routes.get("/i18n")
    async def texts(request: web.Request) -> web.Response:
        def of(folder: Path) -> dict[str, Any]:
            found = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
            return found.pop("main", {}) | found

        return web.json_response({folder.name: of(folder) for folder in (ROOT / "locales").iterdir()})

    @routes.get("/settings")
    async def get_settings(request: web.Request) -> web.Response:
        return web.json_response(settings)

    @routes.post("/settings")
    async def post_settings(request: web.Request) -> web.Response:
        settings.update(await request.json())
        return _settled(settings)

    @routes.post("/settings/{id}")
    async def post_setting(request: web.Request) -> web.Response:
        settings[request.match_info["id"]] = await request.json()
        return _settled(settings)

    @routes.get("/userdata/{file}")
    async def get_userdata(request: web.Request) -> web.Response:
        if request.match_info["file"] not in userdata:
            raise web.HTTPNotFound
        return web.Response(body=userdata[request.match_info["file"]])

    @routes.post("/userdata/{file}")
    async def post_userdata(request: web.Request) -> web.Response:
        userdata[request.match_info["file"]] = await request.read()
        return web.json_response(request.match_info["file"])

    @routes.get("/view")
    async def view(request: web.Request) -> web.FileResponse:
        import folder_paths

        kind, query = request.query.get("type", "output"), request.query
        root = Path(getattr(folder_paths, f"get_{kind}_directory")())
        file = (root / query.get("subfolder", "") / query["filename"]).resolve()
        if not file.is_relative_to(root.resolve()) or not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"Content-Type": mimetypes.guess_type(file.name)[0] or "text/plain"})

    @routes.get("/queue")
    async def get_queue(request: web.Request) -> web.Response:
        queue = server.prompt_queue
        return web.json_response(
            {"queue_running": list(queue.currently_running.values()), "queue_pending": list(queue.waiting.queue)}
        )

    @routes.get("/prompt")
    async def get_prompt(request: web.Request) -> web.Response:
        return web.json_response(server.prompt_queue.info)

    @routes.post("/prompt")
    async def post_prompt(request: web.Request) -> web.Response:
        asked = await request.json()
        prompt, queue = asked["prompt"], server.prompt_queue
        if errors := await queue.refused(prompt):
            error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"}
            told = {"error": {**error, "details": "", "extra_info": {}}, "node_errors": errors}
            return web.json_response(told, status=400)
        prompt_id, number = asked.get("prompt_id") or str(uuid.uuid4()), len(queue.history)
        extra = {**asked.get("extra_data", {}), "client_id": asked.get("client_id")}
        ends = [id_ for id_, entry in prompt.items() if classes[entry["class_type"]].OUTPUT_NODE]
        queue.put((number, prompt_id, prompt, extra, asked.get("partial_execution_targets") or ends))
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": {}})

    @routes.get("/history")
    async def get_history(request: web.Request) -> web.Response:
        return web.json_response(server.prompt_queue.history)

    @routes.get("/history/{prompt_id}")
    async def get_history_of(request: web.Request) -> web.Response:
        id_ = request.match_info["prompt_id"]
        entry = server.prompt_queue.history.get(id_)
        return web.json_response({id_: entry} if entry else {})

    @routes.post("/interrupt")
    async def interrupt(request: web.Request) -> web.Response:
        wanted = (await request.json() if request.can_read_body else {}).get("prompt_id")
        running = {item[1] for item in server.prompt_queue.currently_running.values()}
        if running and (not wanted or wanted in running):
            server.interrupted.set()
        return web.Response()

    app = web.Application(client_max_size=100 << 20)
    app.add_routes(routes)
    app.add_routes([web.route(each.method, f"/api{each.path}", each.handler) for each in routes])
    app.add_routes([web.static(f"/extensions/{name}", folder) for name, folder in packs.items()])
    app.add_routes([web.static("/", page)])
    return app


def _settled(settings: Mapping[str, Any]) -> web.Response:
    """Kept where nodes find them, as ComfyUI keeps those of its only user."""
    import folder_paths

    write_json(Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json", settings)
    return web.Response()


def _answer(value: Any) -> Any:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(value)

    return handler


def _described(id_: str, cls: Any, title: str) -> dict[str, Any]:
    """``node_info`` of server.py."""
    types = cls.INPUT_TYPES()
    return {
        "input": types,
        "input_order": {group: list(inputs) for group, inputs in types.items()},
        "output": cls.RETURN_TYPES,
        "output_is_list": cls.OUTPUT_IS_LIST,
        "output_name": cls.RETURN_NAMES,
        "output_tooltips": cls.OUTPUT_TOOLTIPS,
        "name": id_,
        "display_name": title,
        "description": cls.DESCRIPTION,
        "python_module": "custom_nodes.musubi-nodes",
        "category": cls.CATEGORY,
        "output_node": cls.OUTPUT_NODE,
    }
