"""The four settings shared by all trainers."""

from musubi_nodes.families.settings.memory import Memory
from musubi_nodes.families.settings.optimizer import Optimizer
from musubi_nodes.families.settings.sampling import Sampling
from musubi_nodes.families.settings.training import Training

__all__ = ["Memory", "Optimizer", "Sampling", "Training"]
