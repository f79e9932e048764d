"""The core's own nodes."""

from musubi_nodes.nodes.batch import BatchProcessor
from musubi_nodes.nodes.datasets.editor import DatasetConfigEditor
from musubi_nodes.nodes.datasets.loader import DatasetConfigLoader
from musubi_nodes.nodes.datasets.viewer import DatasetViewer
from musubi_nodes.nodes.lora import LoRASelect
from musubi_nodes.nodes.memory import MemoryOptimizer
from musubi_nodes.nodes.prompt import PromptNode
from musubi_nodes.nodes.resources.monitor import ResourceMonitor
from musubi_nodes.nodes.settings import NetworkConfig, OptimizerConfig, SamplingConfig, TrainingConfig
from musubi_nodes.nodes.training_monitor import TrainingMonitor
from musubi_nodes.nodes.video_input import VideoInput
from musubi_nodes.nodes.video_output import VideoOutput

NODES = (
    DatasetConfigLoader,
    DatasetConfigEditor,
    DatasetViewer,
    TrainingConfig,
    NetworkConfig,
    OptimizerConfig,
    SamplingConfig,
    MemoryOptimizer,
    LoRASelect,
    PromptNode,
    BatchProcessor,
    TrainingMonitor,
    ResourceMonitor,
    VideoInput,
    VideoOutput,
)
