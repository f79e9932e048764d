"""Options of the training scripts: the config file, and what is refused before anything is read."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from .config import read_toml
from .families import Family

CONFIG = logging.getLogger("musubi_tuner.training.parser_common")


def with_config_file(args: argparse.Namespace, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of ``--config_file`` under those of the command line; unknown names are accepted silently."""
    if not args.config_file:
        return args
    path = Path(args.config_file if args.config_file.endswith(".toml") else f"{args.config_file}.toml")
    if not path.exists():
        CONFIG.info(f"{path} not found.")
        sys.exit(1)
    CONFIG.info(f"Loading settings from {path}...")
    flat: dict[str, Any] = {}
    for key, value in read_toml(path).items():
        flat |= value if isinstance(value, dict) else {key: value}
    args = parser.parse_args(namespace=argparse.Namespace(**flat))
    args.config_file = str(Path(args.config_file).with_suffix(""))
    CONFIG.info(args.config_file)
    return args


def check(args: argparse.Namespace, family: Family) -> None:
    """Refusals before anything is read (``_validate_args_and_init``)."""
    if args.dataset_config is None:
        raise ValueError("dataset_config is required / dataset_configが必要です")
    if args.dit is None:
        raise ValueError("path to DiT model is required / DiTモデルのパスが必要です")
    args.fp8_scaled = getattr(args, "fp8_scaled", False)  # not every family has it
    assert not args.fp8_scaled or args.fp8_base, "fp8_scaled requires fp8_base / fp8_scaledはfp8_baseが必要です"
    if args.sage_attn:
        raise ValueError(
            "SageAttention doesn't support training currently. Please use `--sdpa` or `--xformers` etc. instead."
            " / SageAttentionは現在学習をサポートしていないようです。`--sdpa`や`--xformers`などの他のオプションを使って"
            "ください"
        )
    family.check_training(args)
