"""Which script does what: a new script is a row here and its options in ``options.json``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from . import misbehave
from .output import start_log
from .parser import parser_of


@dataclass(frozen=True)
class Script:
    """``module`` in this package has ``run(args, parser, family)``; ``family`` names a module with ``FAMILY``."""

    module: str
    family: str = ""
    description: str | None = None


SCRIPTS = {
    "cache_latents.py": Script("cache_latents", "hunyuan_video"),
    "cache_text_encoder_outputs.py": Script("cache_text", "hunyuan_video"),
    "hv_train_network.py": Script("training", "hunyuan_video"),
    "hv_generate_video.py": Script("hunyuan_generation", "hunyuan_video", "HunyuanVideo inference script"),
    "fpack_cache_latents.py": Script("cache_latents", "framepack"),
    "fpack_cache_text_encoder_outputs.py": Script("cache_text", "framepack"),
    "fpack_train_network.py": Script("training", "framepack"),
    "fpack_generate_video.py": Script("framepack_generation", "framepack", "FramePack inference script"),
    "wan_cache_latents.py": Script("cache_latents", "wan"),
    "wan_cache_text_encoder_outputs.py": Script("cache_text", "wan"),
    "wan_train_network.py": Script("training", "wan"),
    "wan_generate_video.py": Script("wan_generation", "wan", "Wan 2.1 inference script"),
    "zimage_cache_latents.py": Script("cache_latents", "zimage"),
    "zimage_cache_text_encoder_outputs.py": Script("cache_text", "zimage"),
    "zimage_train.py": Script("full_training", "zimage"),
    "zimage_train_network.py": Script("training", "zimage"),
    "zimage_generate_image.py": Script("zimage_generation", "zimage", "Z-Image inference script"),
    "convert_lora.py": Script(
        "convert", description="Convert LoRA/LoHa/LoKr weights between default and other formats"
    ),
    "merge_lora.py": Script("merge", description="HunyuanVideo model merger script"),
    "lora_post_hoc_ema.py": Script("post_hoc_ema", description="Merge LoRA weights with Post-Hoc EMA method."),
}


def run(file: str) -> None:
    """Parse the command line of the script ``file`` and run it. ``--help`` and wrong options import nothing heavy."""
    name = Path(file).name
    script = SCRIPTS[name]
    parser = parser_of(name, script.description)
    args = parser.parse_args()
    start_log()
    misbehave.begin(name)
    family = import_module(f"{__package__}.{script.family}").FAMILY if script.family else None
    sys.exit(import_module(f"{__package__}.{script.module}").run(args, parser, family))
