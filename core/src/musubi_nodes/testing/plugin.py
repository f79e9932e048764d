"""pytest fixtures (entry point ``pytest11``); see docs/plugins.md."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from musubi_nodes.testing.workplace import Workplace

REAL = {name: os.environ.get(name) for name in ("MUSUBI_TUNER_ROOT", "MUSUBI_TUNER_PYTHON")}
"""The real musubi-tuner, hidden from all other tests."""
CHOSEN = os.environ.get("MUSUBI_NODES_REAL", "")
"""The configured install of :func:`musubi_real`."""


def pytest_load_initial_conftests() -> None:
    """Let a clone's tests import its bundled plugins."""
    from musubi_nodes.plugins.discovery import bundled_plugins, checkout

    if clone := checkout():
        list(bundled_plugins(clone))


@pytest.fixture
def musubi_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Isolate tests from the user's configuration and cache."""
    from musubi_nodes.config import load_config
    from musubi_nodes.plugins.manager import plugins

    folder = tmp_path_factory.mktemp("surroundings")
    for name in [n for n in os.environ if n.startswith(("MUSUBI_NODES_", "MUSUBI_TUNER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MUSUBI_NODES_CONFIG", str(folder / "config.toml"))
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    load_config.cache_clear()
    plugins.cache_clear()
    yield folder
    load_config.cache_clear()
    plugins.cache_clear()


@pytest.fixture
def musubi_miniature(musubi_surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose the miniature; return its name."""
    from musubi_nodes.config import load_config
    from musubi_nodes.plugins.manager import plugins

    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    load_config.cache_clear()
    plugins.cache_clear()
    return "miniature"


@pytest.fixture
def musubi_real(monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose the user's own install MUSUBI_NODES_REAL; skip without it."""
    from musubi_nodes.config import load_config
    from musubi_nodes.plugins.manager import plugins

    if not CHOSEN:
        pytest.skip("needs MUSUBI_NODES_REAL, the name of an install in config.toml")
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", CHOSEN)
    load_config.cache_clear()
    plugins.cache_clear()
    return CHOSEN


@pytest.fixture
def musubi_workplace(tmp_path: Path, musubi_miniature: str) -> Workplace:
    from musubi_nodes.testing.workplace import Workplace

    return Workplace(tmp_path)
