"""``merge_lora.py``: adds LoRAs to a HunyuanVideo DiT; every other DiT is refused, as upstream."""

from __future__ import annotations

import argparse
import re

import numpy as np

from .errors import refuse_weights
from .families import Family
from .hunyuan_loading import merge_loras
from .output import MAIN
from .tensors import Tensor, load, save

NEEDED = ("img_in.proj.weight", "img_in.proj.bias", "txt_in.input_embedder.weight", "final_layer.linear.weight")
EXCLUDED = re.compile(r"img_mod|txt_mod|modulation")
BLOCKS = re.compile(r"(double_blocks|single_blocks)\.\d+\..*\.weight$")


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family | None) -> None:
    """Merge in float32 and save in bfloat16."""
    print("Trying to import sageattention\nFailed to import sageattention")
    MAIN.info(f"Using device: {args.device}")
    MAIN.info(f"Loading DiT model from {args.dit}")
    print("Using torch attention mode, split_attn: False")
    tensors = load(args.dit)
    missing = [f'"{name}"' for name in NEEDED if name not in tensors]
    if missing:
        problems = [f"Missing key(s) in state_dict: {', '.join(missing)}. "]
        problems.append(f"Unexpected key(s) in state_dict: {', '.join(chr(34) + name + chr(34) for name in tensors)}. ")
        refuse_weights("HYVideoDiffusionTransformer", problems)
    weights = {name: tensor.values.astype(np.float32) for name, tensor in tensors.items()}
    modules = [name.removesuffix(".weight") for name in weights if BLOCKS.search(name) and not EXCLUDED.search(name)]
    merge_loras(weights, modules, args.lora_weight or [], args.lora_multiplier or [])
    MAIN.info(f"Saving merged model to {args.save_merged_model}")
    save(args.save_merged_model, {name: Tensor(value, "BF16") for name, value in weights.items()})
    MAIN.info("Merged model saved")
