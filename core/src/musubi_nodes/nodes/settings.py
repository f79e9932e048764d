"""Nodes whose inputs are the settings they output."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field, create_model

from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Settings
from musubi_nodes.families.node import Node, NodeOutputs
from musubi_nodes.families.settings import Network, Optimizer, Sampling, Training


class SettingsNode(Node):
    """Base of a node whose output is its own ``settings``."""

    category: ClassVar[str] = "MusubiTuner/Settings"
    resolves_statically: ClassVar[bool] = True
    settings: ClassVar[type[Settings]]
    output: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.Inputs = cls.settings
        field: Any = (cls.settings, Field(description="These settings, for a trainer."))
        cls.Outputs = create_model("Outputs", __base__=NodeOutputs, **{cls.output: field})

    def run(self, inputs: object, context: Context) -> BaseModel:
        return self.Outputs(**{self.output: inputs})


class TrainingConfig(SettingsNode):
    """How long and how strongly a model is trained, and what is saved during training. If not connected, a trainer uses
    this node's defaults."""

    id, title = "MusubiTuner_TrainingConfig", "Training Config"
    search = ("epochs", "steps", "learning rate", "resume", "save state", "学習設定", "学習率")
    settings, output = Training, "training"


class NetworkConfig(SettingsNode):
    """Which kind of network is trained (LoRA, LoHa, LoKr), and its rank. Not connected: a LoRA of rank 32."""

    id, title = "MusubiTuner_NetworkConfig", "Network Config"
    search = ("rank", "alpha", "dim", "lora", "loha", "lokr", "lycoris", "loraplus", "ランク")
    settings, output = Network, "network"


class OptimizerConfig(SettingsNode):
    """The optimizer and learning rate scheduler of a training. If not connected: AdamW8bit if musubi-tuner has
    bitsandbytes, else AdamW, with a constant learning rate."""

    id, title = "MusubiTuner_OptimizerConfig", "Optimizer Config"
    search = ("adamw", "prodigy", "adafactor", "scheduler", "weight decay", "cosine", "最適化", "スケジューラー")
    settings, output = Optimizer, "optimizer"


class SamplingConfig(SettingsNode):
    """Which timesteps are trained, and samples made during training. If not connected: the family's own timestep
    sampling and no samples."""

    id, title = "MusubiTuner_SamplingConfig", "Sampling Config"
    search = ("timestep", "flow shift", "sample prompts", "preview while training", "タイムステップ", "サンプル")
    settings, output = Sampling, "sampling"
