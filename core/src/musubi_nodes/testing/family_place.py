"""The way of a family in a test: models, caches, training, generation, each with small values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from musubi_nodes.testing.workplace import Workplace


class FamilyPlace(Workplace):
    """A workplace with one method for each of a family's nodes, whose ids are ``prefix`` and what they are
    (``MusubiTuner_WanModels``). Values given to a method go to its node, in place of the small ones."""

    prefix: ClassVar[str]
    """What the ids of the nodes begin with."""
    files: ClassVar[Mapping[str, str]]
    """The models node's files, e.g. ``{"dit": "miniature/wan_t2v_14b.safetensors"}``."""
    small: ClassVar[Mapping[str, Any]]
    """The generator's values for a video that is made at once."""

    def models(self, **values: Any) -> Any:
        """The models socket."""
        return self.run(f"{self.prefix}Models", **{**self.files, **values}).models

    def caches(self, path: Path | None = None, models: Any = None, **values: Any) -> dict[str, Any]:
        """What a trainer is wired to, from the dataset TOML at ``path``; ``values`` go to the latent cache."""
        dataset, models = self.load(path or self.dataset()), models or self.models()
        latent = self.run(f"{self.prefix}LatentCache", dataset=dataset, models=models, **values).latent_cache
        text = self.run(f"{self.prefix}TextEncoderCache", dataset=dataset, models=models).text_cache
        return {"models": models, "latent_cache": latent, "text_cache": text}

    def training(self, **values: Any) -> Any:
        """Settings of a training of two epochs."""
        given = {"max_train_epochs": 2, "network_dim": 4, "learning_rate": 0.01, **values}
        return self.run("TrainingConfig", **given).training

    def train(self, caches: Mapping[str, Any] | None = None, **values: Any) -> Any:
        """The trainer's outputs."""
        wired = {"training": self.training(), **(caches or self.caches())}
        return self.run(f"{self.prefix}LoRATrainer", **{**wired, **values})

    def generate(self, **values: Any) -> Any:
        """The generator's outputs."""
        models = values.pop("models", None) or self.models()
        return self.run(f"{self.prefix}Generator", models=models, **{"prompt": "a square", **self.small, **values})
