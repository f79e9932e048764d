"""The five settings shared by all trainers."""

from musubi_nodes.families.settings.memory import Memory
from musubi_nodes.families.settings.network import Network
from musubi_nodes.families.settings.optimizer import Optimizer
from musubi_nodes.families.settings.sampling import Sampling
from musubi_nodes.families.settings.training import Training

__all__ = ["Memory", "Network", "Optimizer", "Sampling", "Training"]
