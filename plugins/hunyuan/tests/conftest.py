"""HunyuanVideo's nodes on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from musubi_nodes.testing.family_place import FamilyPlace

MODELS = {
    "dit": "miniature/hunyuan_video_t2v.safetensors",
    "vae": "miniature/hunyuan_video_vae.safetensors",
    "text_encoder1": "miniature/llava_llama3.safetensors",
    "text_encoder2": "miniature/clip_l.safetensors",
}


class HunyuanPlace(FamilyPlace):
    prefix = "MusubiTuner_HunyuanVideo"
    files = MODELS
    small: ClassVar[dict[str, Any]] = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> HunyuanPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return HunyuanPlace(tmp_path)
