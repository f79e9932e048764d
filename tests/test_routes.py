"""The routes as the page asks them, on a server of aiohttp's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.links import symlink

from musubi_nodes.hosts.comfyui.routes import add_routes
from musubi_nodes.runs.record.folder import RunFolder, runs_of
from musubi_nodes.runs.record.heartbeat import this_host

pytest.importorskip("aiohttp")
Answer = tuple[int, Any, str]
Get = Callable[[str], Answer]
Ask = Callable[..., Answer]


@pytest.fixture
def get(ask: Ask) -> Get:
    """The answer to a GET."""
    return lambda path: ask("GET", path)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Status, head and text of an answer; the path goes out as it is written."""
    from aiohttp import web
    from aiohttp.test_utils import TestClient, TestServer
    from yarl import URL

    routes = web.RouteTableDef()
    for name, contents in {
        "server": {"PromptServer": SimpleNamespace(instance=SimpleNamespace(routes=routes))},
        "folder_paths": {"get_output_directory": lambda: str(tmp_path / "output")},
    }.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    add_routes("pack")

    async def asked(method: str, path: str, **more: Any) -> Answer:
        app = web.Application()
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:
            answer = await client.request(method, URL(path, encoded=True), **more)
            return answer.status, answer.headers, await answer.text()

    return lambda method, path, **more: asyncio.run(asked(method, path, **more))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_what_a_foreign_page_may_post_stops_no_training(ask: Ask, tmp_path: Path, kind: str) -> None:
    folder = RunFolder.create(tmp_path / "output", "WanLoRATrainer")
    folder.write_status("running", **this_host())
    path = f"/musubi/runs/{folder.path.name}/stop"
    assert ask("POST", path, data=b"{}", headers={"Content-Type": kind})[0] == 415
    assert not folder.stop_request.exists()
    assert ask("POST", path, json={})[0] == 200
    assert folder.stop_request.exists()


def test_a_log_is_text_in_utf_8_whatever_it_holds(get: Get, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "output", "WanLoRATrainer")
    folder.log.write_text("<script>alert('猫')</script>\n" * 50_000, "utf-8")
    status, head, text = get(f"/musubi/runs/{folder.path.name}/log")
    assert (status, text) == (200, folder.log.read_text("utf-8"))
    assert head["Content-Type"] == "text/plain; charset=utf-8" and head["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..", "gone", "%2fetc", "a%00b", "C:"])
def test_a_run_that_is_none_has_no_log_and_no_state(get: Get, tmp_path: Path, name: str) -> None:
    runs_of(tmp_path / "output").mkdir(parents=True)
    (tmp_path / "output" / "musubi" / "log.txt").write_text("secret")
    for path in (f"/musubi/runs/{name}/log", f"/musubi/runs/{name}"):
        status, _, text = get(path)
        assert status == 404 and "secret" not in text


def test_a_log_that_is_a_link_or_a_folder_is_not_shown(get: Get, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "output", "WanLoRATrainer")
    (tmp_path / "secret").write_text("secret")
    symlink(folder.log, tmp_path / "secret")
    assert get(f"/musubi/runs/{folder.path.name}/log")[0] == 404
    folder.log.unlink()
    folder.log.mkdir()
    assert get(f"/musubi/runs/{folder.path.name}/log")[0] == 404
    linked = runs_of(tmp_path / "output") / "linked"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "log.txt").write_text("secret")
    symlink(linked, tmp_path / "outside")
    assert get("/musubi/runs/linked/log")[0] == 404
