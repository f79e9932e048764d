"""Every test gets its own configuration, caches and output folder; nothing of the user's machine is read."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from musubi_nodes.hosts.comfyui import promptly
from musubi_nodes.runs.install import load_install
from musubi_nodes.testing.plugin import REAL

settings.register_profile("ours", deadline=None)  # how long an example takes says nothing on a busy machine
settings.load_profile("ours")

ROOT = Path(__file__).resolve().parents[1]

with contextlib.suppress(ValueError):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job with & ignores Ctrl-C, its children too
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as what nohup starts ignores this one


@pytest.fixture(autouse=True)
def own_surroundings(musubi_surroundings: Path) -> Path:
    """The folder of this test's config.toml."""
    return musubi_surroundings


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation may take its time on a busy machine; what a budget does is tested with budgets of its own."""
    monkeypatch.setattr(promptly, "SECONDS", 60.0)
    monkeypatch.setattr(promptly, "LIST_SECONDS", 60.0)


@pytest.fixture(scope="session")
def real_musubi() -> dict[str, str]:
    """Root and Python of the real musubi-tuner; the test is skipped, visibly, without MUSUBI_TUNER_ROOT."""
    root = REAL["MUSUBI_TUNER_ROOT"]
    if not root:
        pytest.skip("needs MUSUBI_TUNER_ROOT (and MUSUBI_TUNER_PYTHON), a real musubi-tuner")
    return {"root": root, "python": str(load_install("real", root, REAL["MUSUBI_TUNER_PYTHON"]).python)}


@pytest.fixture
def until() -> Callable[..., bool]:
    """Waits for a condition, at most ``seconds``; tells whether it came."""

    def wait(condition: Callable[[], Any], seconds: float = 60) -> bool:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    return wait
