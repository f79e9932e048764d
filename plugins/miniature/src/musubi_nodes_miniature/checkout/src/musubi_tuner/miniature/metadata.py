"""The metadata of a trained LoRA: upstream's keys (about 47), all values as text."""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import MADE_BY
from .datasets import AnyDataset
from .families import Family
from .optimizer import LOG

SAME_NAMED = [
    "output_name",
    "learning_rate",
    "gradient_checkpointing",
    "gradient_checkpointing_cpu_offload",
    "gradient_accumulation_steps",
    "max_train_steps",
    "lr_warmup_steps",
    "lr_scheduler",
    "network_module",
    "network_dim",
    "network_alpha",
    "network_dropout",
    "mixed_precision",
    "seed",
    "max_grad_norm",
    "weighting_scheme",
    "logit_mean",
    "logit_std",
    "mode_scale",
    "guidance_scale",
    "timestep_sampling",
    "sigmoid_scale",
    "discrete_flow_shift",
]
"""Options that stand in the metadata as ``ss_`` and their name."""

MINIMUM = (
    "ss_base_model_version",
    "ss_network_module",
    "ss_network_dim",
    "ss_network_alpha",
    "ss_network_args",
)
"""What ``--no_metadata`` leaves of the ``ss_`` keys."""


@dataclass(frozen=True)
class Session:
    """What a training run knows about itself besides its arguments."""

    session_id: int
    started_at: float
    optimizer: str
    items: int
    batches: int
    epochs: int


def training_metadata(
    args: argparse.Namespace, family: Family, datasets: Sequence[AnyDataset], session: Session
) -> dict[str, str]:
    """The ``ss_`` keys that stand from the beginning."""
    found: dict[str, Any] = {f"ss_{name}": getattr(args, name) for name in SAME_NAMED}
    found |= {
        "ss_training_comment": " / ".join(filter(None, [args.training_comment, MADE_BY])),
        "ss_session_id": session.session_id,
        "ss_training_started_at": session.started_at,
        "ss_num_train_items": session.items,
        "ss_num_batches_per_epoch": session.batches,
        "ss_num_epochs": session.epochs,
        "ss_base_model_version": family.full,
        "ss_optimizer": session.optimizer,
        "ss_fp8_base": bool(args.fp8_base),
        "ss_full_fp16": False,
        "ss_full_bf16": False,
        "ss_datasets": json.dumps([dataset.metadata() for dataset in datasets]),
    }
    if args.network_args:
        found["ss_network_args"] = json.dumps(dict(pair.split("=") for pair in args.network_args))
    for key, label, path in (("ss_sd_model_name", "DiT", args.dit), ("ss_vae_name", "VAE", args.vae)):
        if path is not None:
            LOG.info(f"set {label} model name for metadata: {path}")
            found[key] = Path(path).name if Path(path).exists() else path
    return {key: str(value) for key, value in found.items()}


def checkpoint_metadata(
    args: argparse.Namespace, family: Family, training: dict[str, str], steps: int, epoch: int
) -> dict[str, str]:
    """The metadata of one checkpoint, still without hashes."""
    now = time.time()
    found = training | {"ss_training_finished_at": str(now), "ss_steps": str(steps), "ss_epoch": str(epoch)}
    if args.no_metadata:
        found = {key: value for key, value in training.items() if key in MINIMUM}
    return found | model_spec(args, family, now)


def model_spec(args: argparse.Namespace, family: Family, now: float) -> dict[str, str]:
    """The ``modelspec`` keys (utils/sai_model_spec.py)."""
    title = args.metadata_title if args.metadata_title is not None else args.output_name
    size = [int(side) for side in args.metadata_reso.split(",")] if args.metadata_reso else [1280, 720]
    optional = {
        "author": args.metadata_author,
        "description": args.metadata_description,
        "license": args.metadata_license,
        "tags": args.metadata_tags,
    }
    if args.min_timestep is not None or args.max_timestep is not None:
        upper = args.max_timestep if args.max_timestep is not None else 1000
        optional["timestep_range"] = f"{args.min_timestep or 0},{upper}"
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{args.metadata_arch or family.model_spec}/lora",
        "modelspec.implementation": family.implementation,
        "modelspec.title": title if title is not None else f"LoRA@{now}",
        "modelspec.resolution": f"{size[0]}x{size[-1]}",
        "modelspec.date": datetime.datetime.fromtimestamp(int(now)).isoformat(),
        **{f"modelspec.{key}": value for key, value in optional.items() if value is not None},
    }
