"""The real programs: musubi-tuner with toy weights, and ComfyUI."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_musubi import config

from musubi_nodes.config import load_config
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture(scope="session")
def toy_config(real_musubi: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A config.toml whose install is the real musubi-tuner with toy weights, which are made first."""
    return config.toy_config(real_musubi, tmp_path_factory.mktemp("toys"))


@pytest.fixture
def place(toy_config: str, own_surroundings: Path, tmp_path: Path) -> Workplace:
    """A workplace whose musubi-tuner is the real one."""
    (own_surroundings / "config.toml").write_text(toy_config, "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()
    return Workplace(tmp_path)
