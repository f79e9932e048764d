"""Chromium on the stand-in (see stand_in/__main__.py); skipped, visibly, without either."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.page import Page, StandIn

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
    "Comfy.VueNodes.Enabled": "FRONTEND" in os.environ,  # a newer page is looked at with its own kind of nodes
}


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
def comfy(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in whose install is the miniature; its input folder holds a small dataset."""
    folder = tmp_path_factory.mktemp("comfy")
    make_dataset(folder / "input" / "balls")
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
        yield StandIn(process.stdout.readline().strip(), folder, process.pid)
        process.stdin.close()


@pytest.fixture(scope="session")
def page(chromium: Any, comfy: StandIn) -> Iterator[Page]:
    """The page of the stand-in."""
    opened = Page(chromium, comfy)
    opened.start(SETTINGS)
    yield opened
    opened.context.close()
