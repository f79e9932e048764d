"""Wan's nodes on the miniature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.testing.workplace import Workplace

MODELS = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}


class WanPlace(Workplace):
    """Shortcuts from models to a trained LoRA."""

    def misbehaving(self, script: str, code: str) -> None:
        """From now on ``code`` runs before ``script`` of the miniature; ``words`` is what the script was given."""
        checkout = self.services.install("miniature").root
        source = self.folder / "misbehaving" / "src" / "musubi_tuner"
        source.mkdir(parents=True)
        real = checkout / "src" / "musubi_tuner"
        for file in real.glob("*.py"):
            before = code if file.name == script else ""
            (source / file.name).write_text(
                f"import runpy, sys\nwords = sys.argv\n{before}\nsys.argv[0] = {str(file)!r}\n"
                f"sys.path.insert(0, {str(real.parent)!r})\nrunpy.run_path(sys.argv[0], run_name='__main__')\n",
                "utf-8",
            )
        (source.parent / "accelerate").symlink_to(real.parent / "accelerate", target_is_directory=True)
        install = replace(self.services.install("miniature"), root=source.parents[1])
        self.services.install = lambda name=None: install  # type: ignore[method-assign]

    def models(self, **values: Any) -> Any:
        return self.run("WanModels", **{**MODELS, **values}).models

    def caches(self, path: Path | None = None, models: Any = None, **values: Any) -> dict[str, Any]:
        dataset, models = self.load(path or self.dataset()), models or self.models()
        latent = self.run("WanLatentCache", dataset=dataset, models=models, **values).latent_cache
        text = self.run("WanTextEncoderCache", dataset=dataset, models=models).text_cache
        return {"models": models, "latent_cache": latent, "text_cache": text}

    def settings(self, name: str, **values: Any) -> Any:
        outputs = self.run(name, **values)
        return next(iter(dict(outputs).values()))

    def training(self, **values: Any) -> Any:
        given = {"max_train_epochs": 2, "network_dim": 4, "learning_rate": 0.01, **values}
        return self.settings("TrainingConfig", **given)

    def train(self, caches: dict[str, Any] | None = None, **values: Any) -> Any:
        return self.run("WanLoRATrainer", **{"training": self.training(), **(caches or self.caches()), **values})

    def generate(self, **values: Any) -> Any:
        small = {"prompt": "a square", "width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
        models = values.pop("models", None) or self.models()
        return self.run("WanGenerator", models=models, **{**small, **values})


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> WanPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return WanPlace(tmp_path)
