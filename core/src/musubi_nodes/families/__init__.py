"""The public API for plugins, besides ``musubi_nodes.hookimpl``.

Everything else in this package may change without notice.
"""

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.config import cache_folder
from musubi_nodes.datasets.config.frames import PICTURES, FrameRule
from musubi_nodes.datasets.config.schema import ImageDataset, VideoDataset, effective
from musubi_nodes.errors import InvalidValue, MusubiError, Problem
from musubi_nodes.families.caches.node import CacheInputs, LatentCache, LatentCacheInputs, TextEncoderCache
from musubi_nodes.families.common_fields import Lycoris, NoMetadata, SampleControl, ShiftBySize, Steps
from musubi_nodes.families.context import Context, Host, Services
from musubi_nodes.families.family import GENERATOR_OPTIONS, TRAINER_OPTIONS, Family, with_choice
from musubi_nodes.families.family_node import FamilyNode
from musubi_nodes.families.fields import (
    Clip,
    Dtype,
    Flag,
    ForVersions,
    InputFile,
    ModelFile,
    Native,
    Picture,
    SamplePicture,
    Scale,
    Settings,
    Socket,
    Widget,
)
from musubi_nodes.families.forward_options import ForwardOptions
from musubi_nodes.families.generating.generator import PROMPT_LINE, Generator, ImageGenerator, VideoGenerator
from musubi_nodes.families.generating.inputs import GeneratorInputs, ImageGeneratorInputs, VideoGeneratorInputs
from musubi_nodes.families.hub_file import HubFile, hub_files
from musubi_nodes.families.input_files import find_input
from musubi_nodes.families.lora import check_trained, checkpoints_of, lora_format
from musubi_nodes.families.lora_fits import check_fits
from musubi_nodes.families.models.chosen import chosen_models
from musubi_nodes.families.models.dit_size import CONTROLS_COUNT, DitSize
from musubi_nodes.families.models.files import find_model
from musubi_nodes.families.models.llama_clip import (
    CLIP_L,
    CLIP_L_FILES,
    CLIP_TEXT,
    LLAMA,
    LLAMA_BARE,
    LLAMA_CLIP_DIT,
    LLAMA_FILES,
    LLAMA_WITHOUT_HEAD,
    TILED_VAE,
    LlamaClipModels,
)
from musubi_nodes.families.models.node import Models, ModelsNode
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.families.picture_count import NO_PICTURES, ONE_OR_MORE, PictureCount
from musubi_nodes.families.product import publish_lora
from musubi_nodes.families.recognition.accepts import Accepts
from musubi_nodes.families.recognition.kinds import Shape, WeightsKind
from musubi_nodes.families.recognition.loras import modules_in
from musubi_nodes.families.recognition.quantisation import FP8, PLAIN
from musubi_nodes.families.recognition.table import accepts_known
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.script_inputs import ScriptInputs
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.families.sizes import Side
from musubi_nodes.families.sockets import Cache, Dataset, Latent, Lora, Run
from musubi_nodes.families.tool import ToolInputs, ToolNode
from musubi_nodes.families.training.fine_tuner import FineTuner, FineTunerInputs
from musubi_nodes.families.training.lora_trainer import LoRATrainer, LoRATrainerInputs
from musubi_nodes.file_names import checked_name
from musubi_nodes.files import publish, write_bytes
from musubi_nodes.i18n import translate
from musubi_nodes.media.frames import save_png, save_pngs, save_video
from musubi_nodes.runs.command import Outcome
from musubi_nodes.runs.explain import Explanation, Failure, explain_by
from musubi_nodes.runs.install import Demo, Install
from musubi_nodes.runs.process.executor import Executor, ProcessSpec, RunningProcess
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.sharing import scratch_folder
from musubi_nodes.tensor_arrays import read_array, write_tensors
from musubi_nodes.weights import Header, read_header

__all__ = [
    "CLIP_L",
    "CLIP_L_FILES",
    "CLIP_TEXT",
    "CONTROLS_COUNT",
    "FP8",
    "GENERATOR_OPTIONS",
    "LLAMA",
    "LLAMA_BARE",
    "LLAMA_CLIP_DIT",
    "LLAMA_FILES",
    "LLAMA_WITHOUT_HEAD",
    "NO_PICTURES",
    "ONE_OR_MORE",
    "PICTURES",
    "PLAIN",
    "PROMPT_LINE",
    "TILED_VAE",
    "TRAINER_OPTIONS",
    "Accepts",
    "Cache",
    "CacheInputs",
    "Clip",
    "Context",
    "Dataset",
    "Demo",
    "DitSize",
    "Dtype",
    "Executor",
    "Explanation",
    "Failure",
    "Family",
    "FamilyNode",
    "FineTuner",
    "FineTunerInputs",
    "Flag",
    "ForVersions",
    "ForwardOptions",
    "FrameRule",
    "Generator",
    "GeneratorInputs",
    "Header",
    "Host",
    "HubFile",
    "ImageDataset",
    "ImageGenerator",
    "ImageGeneratorInputs",
    "InputFile",
    "Install",
    "InvalidValue",
    "Latent",
    "LatentCache",
    "LatentCacheInputs",
    "LlamaClipModels",
    "LoRATrainer",
    "LoRATrainerInputs",
    "Lora",
    "Lycoris",
    "Memory",
    "ModelFile",
    "Models",
    "ModelsNode",
    "MusubiError",
    "Native",
    "Network",
    "NoMetadata",
    "Node",
    "NodeInputs",
    "NodeOutputs",
    "Optimizer",
    "Option",
    "Outcome",
    "Picture",
    "PictureCount",
    "Problem",
    "ProcessSpec",
    "Progress",
    "Run",
    "RunningProcess",
    "SameResult",
    "SampleControl",
    "SamplePicture",
    "Sampling",
    "Scale",
    "ScriptInputs",
    "ScriptNode",
    "Services",
    "Settings",
    "Shape",
    "ShiftBySize",
    "Side",
    "Socket",
    "Steps",
    "TextEncoderCache",
    "ToolInputs",
    "ToolNode",
    "Training",
    "VideoDataset",
    "VideoGenerator",
    "VideoGeneratorInputs",
    "WeightsKind",
    "Widget",
    "accepts_known",
    "cache_folder",
    "check_fits",
    "check_numbers",
    "check_trained",
    "checked_name",
    "checkpoints_of",
    "chosen_models",
    "effective",
    "explain_by",
    "find_input",
    "find_model",
    "hub_files",
    "lora_format",
    "modules_in",
    "publish",
    "publish_lora",
    "read_array",
    "read_header",
    "save_png",
    "save_pngs",
    "save_video",
    "scratch_folder",
    "translate",
    "with_choice",
    "write_bytes",
    "write_tensors",
]
