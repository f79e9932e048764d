"""A link that lies where something is written is replaced, or the next name is taken: nothing is written through it."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from musubi_nodes import files
from musubi_nodes.datasets.config.saving import save_toml
from musubi_nodes.files import publish, publish_folder, write_bytes, write_json, write_text
from musubi_nodes.nodes.previews import show_picture

CORE = Path(files.__file__).parent


def shown(path: Path) -> None:
    from PIL import Image

    host = SimpleNamespace(preview_folder=path.parent)
    context: Any = SimpleNamespace(host=host, node_id="7", show=lambda _: None)
    path.rename(path.with_name("musubi_7_plot.png"))
    show_picture(Image.new("RGB", (4, 4)), "plot", context)


def made(path: Path) -> Path:
    return write_text(path.parents[1] / "made.txt", "new")


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "new"),
    "bytes": lambda path: write_bytes(path, b"new"),
    "json": lambda path: write_json(path, "new"),
    "a copy": lambda path: publish(made(path), path.parent, path.name),
    "a move": lambda path: publish(made(path), path.parent, path.name, move=True),
    "pictures": lambda path: publish_folder([made(path)], path.parent, path.name),
    "a dataset": lambda path: save_toml(path, "a = 1\n"),
    "a preview": shown,
}


@pytest.fixture(params=["a file", "nothing", "a folder"])
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A link in a folder of its own; ``precious`` is what it leads to."""
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    folder.mkdir()
    if request.param == "a file":
        precious.write_text("a = 'years of work'\n", "utf-8")
    elif request.param == "a folder":
        precious.mkdir()
    path = folder / "link.toml"
    path.symlink_to(precious)
    return path


def state(path: Path) -> object:
    return path.read_bytes() if path.is_file() else sorted(path.iterdir()) if path.is_dir() else None


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
@pytest.mark.parametrize("hard_links", [True, False])
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_through_a_link(
    writer: str, hard_links: bool, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("no links here")

    if not hard_links:
        monkeypatch.setattr(os, "link", refused)
    precious = link.parents[1] / "precious"
    before = state(precious)
    if writer == "a dataset" and precious.is_dir():
        pytest.skip("a folder is no dataset, and is refused")
    WRITERS[writer](link)
    assert state(precious) == before
    assert any(each.is_file() and not each.is_symlink() for each in link.parent.rglob("*"))


OWN_FOLDER = "in a folder that was made just before, under a name that nobody knows"
DIRECTLY = {
    "files.py": "beside the target, under a name that nobody knows",
    "hosts/comfyui/media.py": "under a name that nobody knows",
    "hosts/terminal/demo_dataset.py": "the demo's own folder, for whoever sits at the terminal",
    "hosts/terminal/new_plugin.py": OWN_FOLDER,
    "media/audio.py": OWN_FOLDER,
    "media/frames.py": OWN_FOLDER,
    "media/metadata.py": OWN_FOLDER,
    "nodes/previews.py": "into memory first",
    "runs/hardware/history.py": "the run's folder",
    "runs/process/monitor.py": "the run's folder",
    "runs/process/guard.py": "the run's folder",
    "runs/process/guard_windows.py": "the run's folder",
    "runs/record/heartbeat.py": "the run's folder",
    "tensor_arrays.py": "a file that was not there (xb)",
    "testing/workplace.py": "a test's folder",
}
"""What writes otherwise than by files.py, and why no link can lie there."""

WRITING = {"write_bytes", "write_text", "copyfile", "copy", "copy2", "move", "save", "mkfifo", "symlink_to"}


def writes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "open":
        modes = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return any(set(mode) <= set("wabx+t") for mode in modes)
    module = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in {"metadata", "copy"}
    return isinstance(node.func, ast.Attribute) and not module and name in WRITING


def test_each_place_that_writes_by_itself_is_known() -> None:
    found = {
        path.relative_to(CORE).as_posix()
        for path in CORE.rglob("*.py")
        if any(map(writes, ast.walk(ast.parse(path.read_text("utf-8")))))
    }
    assert found == set(DIRECTLY)
