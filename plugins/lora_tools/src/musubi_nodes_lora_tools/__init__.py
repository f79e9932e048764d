"""LoRA tools: registers its nodes."""

from collections.abc import Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families import Node


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """All nodes."""
    from musubi_nodes_lora_tools.combine import LoRACombiner
    from musubi_nodes_lora_tools.convert import LoRAFormatConverter
    from musubi_nodes_lora_tools.ema import LoRAPostHocEMA
    from musubi_nodes_lora_tools.merge import LoRAMerger

    return LoRAFormatConverter, LoRAMerger, LoRAPostHocEMA, LoRACombiner
