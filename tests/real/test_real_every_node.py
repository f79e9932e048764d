"""Every bundled node runs in a real ComfyUI, and hands on what its help page says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.every_node import FRAMES, GRAPHS, HEIGHT, WIDTH, check_images
from tests.real.comfy import Comfy, message, start

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe

pytestmark = pytest.mark.comfyui


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    started = start(tmp_path_factory.mktemp("comfy"), 'install = "miniature"\n')
    yield started
    started.end()


def shown(comfy: Comfy, outputs: Any, node: str) -> list[Path]:
    """The files that a node shows on the page."""
    folders = {"output": comfy.folder / "output", "temp": comfy.folder / "temp"}
    return [folders[file["type"]] / file["subfolder"] / file["filename"] for file in outputs[node]["images"]]


def test_every_node_runs_and_hands_on_what_is_documented(comfy: Comfy, tmp_path: Path) -> None:
    from PIL import Image

    def sizes(node: str) -> list[tuple[int, int]]:
        files = ImageFiles(tuple(shown(comfy, outputs, node)))
        check_images(files.frames())
        return [Image.open(path).size for path in files.paths]

    made = {}
    for name, graph in GRAPHS.items():
        entry = comfy.wait(comfy.queue(graph(tmp_path)), 120)
        assert entry["status"]["status_str"] == "success", (name, message(entry))
        made[name] = entry["outputs"]
    outputs = made["wan"]
    assert sizes("16") == [(640, 320)]
    assert sizes("20") == [(WIDTH, HEIGHT)] * 2 * FRAMES
    assert sizes("22")[0][0] == 640 and "RAM" in outputs["21"]["text"][0]
    assert len(sizes("18")) == 1 and "page 1 of 2" in outputs["17"]["text"][0]
    assert [probe(path).frames for path in shown(comfy, outputs, "7")] == [FRAMES, FRAMES]
    outputs = made["tools"]
    assert sizes("5") == [(WIDTH, HEIGHT)] * FRAMES
    (written,) = shown(comfy, outputs, "4")
    assert (probe(written).fps, probe(written).frames, written.suffix) == (12.0, FRAMES, ".webm")
    assert probe(next((comfy.folder / "output").glob("every_saved*.mp4"))).frames == FRAMES
    assert (comfy.folder / "models" / "loras" / "musubi" / "every_ema.safetensors").is_file()
