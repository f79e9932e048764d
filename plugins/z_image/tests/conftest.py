"""Z-Image's nodes on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from musubi_nodes.testing.family_place import FamilyPlace


class ZImagePlace(FamilyPlace):
    prefix = "MusubiTuner_ZImage"
    files: ClassVar[dict[str, str]] = {
        "dit": "miniature/z_image.safetensors",
        "vae": "miniature/ae.safetensors",
        "text_encoder": "miniature/qwen_3_4b.safetensors",
    }
    small: ClassVar[dict[str, Any]] = {"width": 96, "height": 64, "infer_steps": 2}


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> ZImagePlace:
    """A workplace whose musubi-tuner is the miniature."""
    return ZImagePlace(tmp_path)
