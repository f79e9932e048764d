"""The real programs: musubi-tuner with toy weights, and ComfyUI."""

from __future__ import annotations

import pytest
from tests.tiny_musubi import config


@pytest.fixture(scope="session")
def toy_config(real_musubi: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A config.toml whose install is the real musubi-tuner with toy weights, which are made first."""
    return config.toy_config(real_musubi, tmp_path_factory.mktemp("toys"))
