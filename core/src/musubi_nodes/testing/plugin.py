"""Every test gets its own configuration, caches and output folder; nothing of the user's machine is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
for source in (ROOT / "core" / "src", *sorted(ROOT.glob("plugins/*/src"))):
    sys.path.insert(0, str(source))


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No configuration but the test's own, and a cache folder shared by all tests of this session."""
    from musubi_nodes.config import load_config
    from musubi_nodes.plugins.manager import plugins

    folder = tmp_path_factory.mktemp("surroundings")
    for name in list(os.environ):
        if name.startswith(("MUSUBI_NODES_", "MUSUBI_TUNER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MUSUBI_NODES_CONFIG", str(folder / "config.toml"))
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    load_config.cache_clear()
    plugins.cache_clear()
    yield folder
    load_config.cache_clear()
    plugins.cache_clear()
