"""A family's nodes in tests, with small values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from musubi_nodes.config import cache_folder
from musubi_nodes.testing.workplace import Workplace


class FamilyPlace(Workplace):
    """A workplace with one method per node of a family."""

    prefix: ClassVar[str]
    """Prefix of node ids, such as ``MusubiTuner_Wan``."""
    files: ClassVar[Mapping[str, str]]
    """Such as ``{"dit": "miniature/wan_t2v_14b.safetensors"}``."""
    small: ClassVar[Mapping[str, Any]]

    def models(self, **values: Any) -> Any:
        return self.run(f"{self.prefix}Models", **{**self.files, **values}).models

    def caches(self, path: Path | None = None, models: object = None, **values: Any) -> dict[str, Any]:
        """Return a trainer's inputs; ``values`` are the latent cache's."""
        dataset, models = self.load(path or self.dataset()), models or self.models()
        latent = self.run(f"{self.prefix}LatentCache", dataset=dataset, models=models, **values).latent_cache
        text = self.run(f"{self.prefix}TextEncoderCache", dataset=dataset, models=models).text_cache
        return {"models": models, "latent_cache": latent, "text_cache": text}

    def prepared(self) -> dict[str, Any]:
        """Return caches that are made once in a session; only train from them."""
        shared = type(self)(cache_folder() / "prepared" / self.prefix)
        shared.folder.mkdir(parents=True, exist_ok=True)
        return shared.caches(next(shared.folder.glob("*.toml"), None))

    def training(self, **values: Any) -> Any:
        given = {"max_train_epochs": 2, "learning_rate": 0.01, **values}
        return self.run("TrainingConfig", **given).training

    def network(self, **values: Any) -> Any:
        return self.run("NetworkConfig", **{"network_dim": 4, **values}).network

    def train(self, caches: Mapping[str, object] | None = None, **values: Any) -> Any:
        wired = {"training": self.training(), "network": self.network(), **(caches or self.prepared())}
        return self.run(f"{self.prefix}LoRATrainer", **{**wired, **values})

    def generate(self, **values: Any) -> Any:
        models = values.pop("models", None) or self.models()
        return self.run(f"{self.prefix}Generator", models=models, **{"prompt": "a square", **self.small, **values})
