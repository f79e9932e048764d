"""A stand-in for ComfyUI, so that the page can be tested with packages of the registries alone.

``python -m tests.browser.stand_in FOLDER`` prints its address and serves until it is ended. Real are: the page (the
stock frontend package, or another one's ``static`` folder in FRONTEND), this pack as ComfyUI imports it (its door, node
classes, routes, scripts and texts), and what the nodes do on the miniature.

Stood in for are the few modules of ComfyUI that the pack imports (modules.py), its queue (running.py), the calls of a
node's class (executing.py), and the answers that the page asks for (answers.py), as of ComfyUI 0.3.64. There are no
nodes but the pack's, no lists between nodes, no lazy inputs, no previews, one user. With COMFYUI_ROOT the same tests
run on the real one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.browser.stand_in import answers, modules
from tests.browser.stand_in.running import Queue

ROOT = Path(__file__).resolve().parents[3]
PACK = "musubi-nodes"


def page_folder() -> Path:
    """The page's files."""
    if named := os.environ.get("FRONTEND"):
        return Path(named)
    import comfyui_frontend_package

    return Path(comfyui_frontend_package.__file__).parent / "static"


def import_pack() -> Any:
    """The pack, imported through its door under a name that is no package's, as ComfyUI does."""
    spec = importlib.util.spec_from_file_location("custom_nodes.musubi", ROOT / "__init__.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def serve(folder: Path) -> None:
    """Serve on a free port of this machine."""
    server = modules.Server(asyncio.get_running_loop())
    modules.install(folder, server)
    pack = import_pack()
    classes, titles = pack.NODE_CLASS_MAPPINGS, pack.NODE_DISPLAY_NAME_MAPPINGS
    server.prompt_queue = Queue(server, classes)
    app = answers.application(server, classes, titles, {PACK: ROOT / pack.WEB_DIRECTORY}, page_folder())
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the test closes it
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
    os._exit(0)  # the worker may be in the middle of a run, whose guard ends it
