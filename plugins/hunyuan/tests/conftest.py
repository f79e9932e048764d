"""HunyuanVideo's nodes on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.testing.workplace import Workplace

MODELS = {
    "dit": "miniature/hunyuan_video_t2v.safetensors",
    "vae": "miniature/hunyuan_video_vae.safetensors",
    "text_encoder1": "miniature/llava_llama3.safetensors",
    "text_encoder2": "miniature/clip_l.safetensors",
}


class HunyuanPlace(Workplace):
    """Shortcuts from models to a trained LoRA."""

    def models(self, **values: Any) -> Any:
        return self.run("HunyuanVideoModels", **{**MODELS, **values}).models

    def caches(self, path: Path | None = None, **values: Any) -> dict[str, Any]:
        dataset, models = self.load(path or self.dataset()), self.models()
        latent = self.run("HunyuanVideoLatentCache", dataset=dataset, models=models, **values).latent_cache
        text = self.run("HunyuanVideoTextEncoderCache", dataset=dataset, models=models).text_cache
        return {"models": models, "latent_cache": latent, "text_cache": text}

    def train(self, caches: dict[str, Any] | None = None, **values: Any) -> Any:
        short = self.run("TrainingConfig", max_train_epochs=2, network_dim=4, learning_rate=0.01).training
        return self.run("HunyuanVideoLoRATrainer", **{"training": short, **(caches or self.caches()), **values})

    def generate(self, **values: Any) -> Any:
        small = {"prompt": "a square", "width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
        return self.run("HunyuanVideoGenerator", **{"models": self.models(), **small, **values})


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> HunyuanPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return HunyuanPlace(tmp_path)
