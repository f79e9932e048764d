"""Steps per epoch."""

from __future__ import annotations

from math import ceil
from typing import Any

from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.datasets.scan.totals import training_batches
from musubi_nodes.families.family import Family
from musubi_nodes.families.settings import Training
from musubi_nodes.families.training.inputs import TrainerInputs


def epoch_facts(inputs: TrainerInputs) -> dict[str, Any]:
    """Return what the number depends on."""
    accumulated = (inputs.training or Training()).gradient_accumulation_steps
    dataset = inputs.latent_cache.dataset.fingerprint
    return {"dataset": dataset, "gradient_accumulation_steps": accumulated, "num_processes": inputs.num_processes}


def steps_of_epoch(inputs: TrainerInputs, family: Family) -> int | None:
    """Return the steps, ``None`` if unknown.

    Counts like ``_build_optimizer_and_dataloader`` (training/trainer_base.py, v0.3.4).
    """
    config = inputs.latent_cache.dataset.config
    batches = training_batches(scan(config), config, fps=family.fps)
    accumulated = (inputs.training or Training()).gradient_accumulation_steps
    return None if batches is None else ceil(batches / inputs.num_processes / accumulated)
