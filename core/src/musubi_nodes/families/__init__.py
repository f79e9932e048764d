"""What the author of a family plugin imports: declarations on this module are all that a new family needs."""

from musubi_nodes.commands.option import Option
from musubi_nodes.datasets.frames import FrameRule
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches import CacheInputs, LatentCache, LatentCacheInputs, TextEncoderCache
from musubi_nodes.families.context import Context, Host, Services
from musubi_nodes.families.family import GENERATOR_SPELLING, TRAINER_SPELLING, Family
from musubi_nodes.families.fields import InputFile, ModelFile, Native, Socket, VaeDtype, Widget
from musubi_nodes.families.generator import GeneratorInputs, VideoGenerator
from musubi_nodes.families.input_files import find_input
from musubi_nodes.families.llama_clip import LlamaClipModels, check_video_vae
from musubi_nodes.families.lora import check_fits, check_trained, lora_format
from musubi_nodes.families.model_files import find_model
from musubi_nodes.families.models import Models, ModelsNode
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Cache, Dataset, Latent, Lora, Run
from musubi_nodes.families.takes import Takes
from musubi_nodes.families.tool import ToolInputs, ToolNode
from musubi_nodes.families.trainer import LoRATrainer, TrainerInputs
from musubi_nodes.runs.command import Outcome
from musubi_nodes.weights import Header, read_header

__all__ = [
    "GENERATOR_SPELLING",
    "TRAINER_SPELLING",
    "Cache",
    "CacheInputs",
    "Context",
    "Dataset",
    "Family",
    "FrameRule",
    "GeneratorInputs",
    "Header",
    "Host",
    "InputFile",
    "Latent",
    "LatentCache",
    "LatentCacheInputs",
    "LlamaClipModels",
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
    "Outcome",
    "Run",
    "Services",
    "Socket",
    "Takes",
    "TextEncoderCache",
    "ToolInputs",
    "ToolNode",
    "TrainerInputs",
    "VaeDtype",
    "VideoGenerator",
    "Widget",
    "check_fits",
    "check_trained",
    "check_video_vae",
    "find_input",
    "find_model",
    "lora_format",
    "read_header",
]
