"""The four settings that all trainers share. Each option has exactly one owner."""

from musubi_nodes.families.settings.memory import Memory
from musubi_nodes.families.settings.optimizer import Optimizer
from musubi_nodes.families.settings.sampling import Sampling
from musubi_nodes.families.settings.training import Training

__all__ = ["Memory", "Optimizer", "Sampling", "Training"]
