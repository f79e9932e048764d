"""What the author of a family plugin imports: declarations on this module are all that a new family needs."""

from musubi_nodes.commands.option import Option
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches import CacheInputs, LatentCache, LatentCacheInputs, TextEncoderCache
from musubi_nodes.families.context import Context, Host, Services
from musubi_nodes.families.family import Family
from musubi_nodes.families.fields import ModelFile, Native, Socket, Widget
from musubi_nodes.families.generator import GeneratorInputs, VideoGenerator
from musubi_nodes.families.models import Models, ModelsNode
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Cache, Dataset, Latent, Lora, Run
from musubi_nodes.families.takes import Takes
from musubi_nodes.families.trainer import LoRATrainer, TrainerInputs
from musubi_nodes.weights import Header, read_header

__all__ = [
    "Cache",
    "CacheInputs",
    "Context",
    "Dataset",
    "Family",
    "FrameRule",
    "GeneratorInputs",
    "Header",
    "Host",
    "Latent",
    "LatentCache",
    "LatentCacheInputs",
    "LoRATrainer",
    "Lora",
    "ModelFile",
    "Models",
    "ModelsNode",
    "MusubiError",
    "Native",
    "Node",
    "NodeInputs",
    "NodeOutputs",
    "Option",
    "Run",
    "Services",
    "Socket",
    "Takes",
    "TextEncoderCache",
    "TrainerInputs",
    "VideoGenerator",
    "Widget",
    "read_header",
]  # fmt: skip
