"""Chromium on a stand-in for ComfyUI; skipped, visibly, where Chromium or a package is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.browser.page import Comfy, Page
from tests.real.comfy import start

from musubi_nodes.hosts.terminal.demo_dataset import make_dataset

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("playwright", "comfyui_frontend_package", "aiohttp")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,  # the example names real models; its dialog would lie over all
    "Comfy.VueNodes.Enabled": "FRONTEND" in os.environ,  # a newer page is looked at with its own kind of nodes
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They come last: once Playwright runs, no other test of this process can run an event loop."""
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running Chromium: CHROMIUM, or the one that is found."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[browser]'")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium, or name one in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def comfy(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """A stand-in, or with COMFYUI_ROOT the real ComfyUI, on the miniature; its input folder holds a small dataset."""
    serve = real if "COMFYUI_ROOT" in os.environ else stand_in
    with serve(tmp_path_factory.mktemp("comfy")) as started:
        make_dataset(started.folder / "input" / "balls")
        yield started


@contextmanager
def stand_in(folder: Path) -> Iterator[Comfy]:
    """See stand_in/__main__.py."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MUSUBI_")}
    own = {"CONFIG": str(folder / "config.toml"), "CACHE": str(folder / "cache"), "INSTALL": "miniature"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.browser.stand_in", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**inherited, **{f"MUSUBI_NODES_{name}": value for name, value in own.items()}},
    ) as process:
        assert process.stdin and process.stdout
        yield Comfy(process.stdout.readline().strip(), folder, process.pid)
        process.stdin.close()


@contextmanager
def real(folder: Path) -> Iterator[Comfy]:
    """The real ComfyUI, which shows whether the stand-in is true to it."""
    page = ["--front-end-root", os.environ["FRONTEND"]] if "FRONTEND" in os.environ else []
    started = start(folder, 'install = "miniature"\n', *page)
    yield Comfy(f"http://127.0.0.1:{started.port}", started.folder, started.process.pid)
    started.end()


@pytest.fixture(scope="session")
def page(chromium: Any, comfy: Comfy) -> Iterator[Page]:
    """The page, with no workflow of ours yet."""
    opened = Page(chromium, comfy)
    opened.start(SETTINGS)
    yield opened
    opened.context.close()
