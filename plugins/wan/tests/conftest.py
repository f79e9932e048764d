"""Wan's nodes on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from musubi_nodes.testing.family_place import FamilyPlace

MODELS = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}


class WanPlace(FamilyPlace):
    prefix = "MusubiTuner_Wan"
    files = MODELS
    small: ClassVar[dict[str, Any]] = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> WanPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return WanPlace(tmp_path)
