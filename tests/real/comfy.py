"""A real ComfyUI in a folder of its own, driven through its API."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import tomli

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.install import find_python, resolve_python

SECONDS, START_SECONDS = 120, 300
PACK = Path(__file__).resolve().parents[2]


def comfyui() -> tuple[Path, Path]:
    """The real ComfyUI and its Python (COMFYUI_PYTHON, its venv, or this one); skips the test where it is missing."""
    if not (named := os.environ.get("COMFYUI_ROOT")):
        pytest.skip("needs COMFYUI_ROOT, a real ComfyUI")
    root = Path(named)
    if python := os.environ.get("COMFYUI_PYTHON"):
        return root, resolve_python(python)
    try:
        return root, find_python(root)
    except MusubiError:
        return root, Path(sys.executable)


class Comfy:
    """``--base-directory`` gives it its own models, input, output and custom_nodes; the pack is linked in there."""

    def __init__(
        self, root: Path, python: Path, folder: Path, pack: Path, environment: dict[str, str], *arguments: str
    ) -> None:
        self.folder = folder
        (folder / "custom_nodes").mkdir(parents=True, exist_ok=True)
        (folder / "custom_nodes" / "musubi-nodes").symlink_to(pack, target_is_directory=True)
        self.port = _free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MUSUBI_")}
        self.log = (folder / "comfyui.log").open("wb")
        self.process = subprocess.Popen(
            [str(python), "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port), "--base-directory",
             str(folder), "--disable-auto-launch", *arguments],
            cwd=root, stdout=self.log, stderr=subprocess.STDOUT, env={**inherited, **environment},
        )  # fmt: skip
        self._wait_for_start()

    def _wait_for_start(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                self.get("/system_stats")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.2)
        raise RuntimeError(f"ComfyUI did not start: {self.said()[-2000:]}")

    def said(self) -> str:
        """What ComfyUI printed."""
        return (self.folder / "comfyui.log").read_text("utf-8", "replace")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = answer.read()
                return answer.status, json.loads(body) if body else None
        except urllib.error.HTTPError as error:
            return error.code, json.load(error) if error.headers.get_content_subtype() == "json" else None

    def upload(self, path: Path) -> str:
        """Upload a file as the page's button does; the name that the node gets."""
        mark = "boundary"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{path.name}"\r\n\r\n'
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/upload/image",
            head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode(),
            {"Content-Type": f"multipart/form-data; boundary={mark}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["name"])

    def queue(self, workflow: dict[str, Any]) -> str:
        """The prompt's id; an AssertionError with the server's answer where it refuses."""
        status, answer = self.post("/prompt", {"prompt": workflow})
        assert status == 200, answer
        return str(answer["prompt_id"])

    def wait(self, prompt: str, seconds: float = SECONDS) -> Any:
        """The history entry of a finished prompt."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if entry := self.get(f"/history/{prompt}").get(prompt):
                return entry
            time.sleep(0.1)
        raise TimeoutError(f"the prompt did not end: {self.said()[-2000:]}")

    def end(self) -> None:
        """Stop ComfyUI."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def message(entry: Any) -> str:
    """The error that a history entry tells."""
    return next((m[1]["exception_message"] for m in entry["status"]["messages"] if m[0] == "execution_error"), "")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(folder: Path, config: str, *arguments: str, pack: Path = PACK) -> Comfy:
    """A ComfyUI with this pack and its own config.toml; the configured model files are in its models folder as well."""
    root, python = comfyui()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config, "utf-8")
    for kind, sources in tomli.loads(config).get("models", {}).items():
        models = folder / "comfy" / "models" / kind
        models.mkdir(parents=True)
        for file in Path(sources[0]).iterdir():
            (models / file.name).symlink_to(file)
    environment = {"MUSUBI_NODES_CONFIG": str(folder / "config.toml"), "MUSUBI_NODES_CACHE": str(folder / "cache")}
    return Comfy(root, python, folder / "comfy", pack, environment, *arguments)
