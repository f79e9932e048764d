"""Names, writing and removal of checkpoints and states (utils/train_utils.py), and taking a state up again."""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .families import Family
from .lora import LoRANetwork
from .metadata import checkpoint_metadata
from .optimizer import AdamW
from .tensors import SHORT_NAMES, load, model_hashes, save

LOG = logging.getLogger("musubi_tuner.utils.train_utils")
ACCELERATOR = logging.getLogger("accelerate.accelerator")
CHECKPOINTING = logging.getLogger("accelerate.checkpointing")

PRECISIONS = {"fp16": "float16", "bf16": "bfloat16", "float": "float32", "fp32": "float32", None: "float32"}


def has_scheduler(args: argparse.Namespace) -> bool:
    """Schedule-free optimizers have a dummy that accelerate does not save (``get_dummy_scheduler``)."""
    return not args.optimizer_type.lower().endswith("schedulefree")


def epoch_name(model: str | None, epoch: int) -> str:
    return f"{model}-{epoch:06d}"


def step_name(model: str | None, step: int) -> str:
    return f"{model}-step{step:08d}"


@dataclass
class Checkpoints:
    """Saves what a run has learned under upstream's names, overwriting without asking, and not atomically."""

    args: argparse.Namespace
    family: Family
    network: LoRANetwork
    optimizer: AdamW
    metadata: dict[str, str]

    @property
    def dtype(self) -> str:
        """The torch name of the dtype on disk."""
        return PRECISIONS[self.args.save_precision]

    def save_model(self, name: str, steps: int, epoch: int) -> None:
        """One ``.safetensors``; without ``--output_dir`` this is where upstream fails, after all the training."""
        os.makedirs(self.args.output_dir, exist_ok=True)  # noqa: PTH103 - its TypeError for None is upstream's
        path = Path(self.args.output_dir, f"{name}.safetensors")
        print(f"\nsaving checkpoint: {path}")
        tensors = self.network.tensors(SHORT_NAMES[self.dtype])
        metadata = checkpoint_metadata(self.args, self.family, self.metadata, steps, epoch)
        save(path, tensors, metadata | model_hashes(tensors, metadata))

    def save_at_step(self, step: int, epoch: int) -> None:
        """A step checkpoint, its state, and the removal of one that is too old."""
        args = self.args
        self.save_model(step_name(args.output_name, step), step, epoch)
        if args.save_state:
            keep = args.save_last_n_steps_state or args.save_last_n_steps
            old = _old_step(step, keep, args.save_every_n_steps)
            self.save_state(
                f"saving state at step {step}",
                step_name(args.output_name, step),
                step_name(args.output_name, old) if old else None,
            )
        old = _old_step(step, args.save_last_n_steps, args.save_every_n_steps)
        if old is not None:
            self._remove_model(step_name(args.output_name, old))

    def save_at_epoch(self, epoch: int, steps: int) -> None:
        """An epoch checkpoint, the removal of one that is too old, and its state."""
        args = self.args
        self.save_model(epoch_name(args.output_name, epoch), steps, epoch)
        if args.save_last_n_epochs is not None:
            old = epoch - args.save_every_n_epochs * args.save_last_n_epochs
            if old >= 0:
                self._remove_model(epoch_name(args.output_name, old))
        if args.save_state:
            keep = args.save_last_n_epochs_state or args.save_last_n_epochs
            old_state = epoch_name(args.output_name, epoch - args.save_every_n_epochs * keep) if keep else None
            self.save_state(f"saving state at epoch {epoch}", epoch_name(args.output_name, epoch), old_state)

    def _remove_model(self, name: str) -> None:
        path = Path(self.args.output_dir, f"{name}.safetensors")
        if path.exists():
            print(f"removing old checkpoint: {path}")
            path.unlink()

    def save_state(self, line: str, name: str, old: str | None = None) -> None:
        """The folder that ``--resume`` takes: LoRA, optimizer, scheduler and random state."""
        LOG.info("")
        LOG.info(line)
        folder = Path(self.args.output_dir, f"{name}-state")
        folder.mkdir(parents=True, exist_ok=True)
        ACCELERATOR.info(f"Saving current state to {folder}")
        save(folder / "model.safetensors", self.network.tensors(), {"format": "pt"})
        CHECKPOINTING.info(f"Model weights saved in {folder / 'model.safetensors'}")
        with (folder / "optimizer.bin").open("wb") as file:
            np.savez(file, mean=self.optimizer.mean, square=self.optimizer.square, step=self.optimizer.step_count)
        CHECKPOINTING.info(f"Optimizer state saved in {folder / 'optimizer.bin'}")
        if has_scheduler(self.args):
            self._save_scheduler(folder / "scheduler.bin")
        # upstream's log claims this file too, and does not write it
        CHECKPOINTING.info(f"Sampler state for dataloader 0 saved in {folder / 'sampler.bin'}")
        (folder / "random_states_0.pkl").write_bytes(pickle.dumps({"step": 0}))
        CHECKPOINTING.info(f"Random states saved in {folder / 'random_states_0.pkl'}")
        if old is not None and (gone := Path(self.args.output_dir, f"{old}-state")).exists():
            LOG.info(f"removing old state: {gone}")
            shutil.rmtree(gone)

    def _save_scheduler(self, path: Path) -> None:
        scheduler = {"last_epoch": self.optimizer.step_count, "num_steps": self.args.max_train_steps}
        path.write_text(json.dumps(scheduler))
        CHECKPOINTING.info(f"Scheduler state saved in {path}")

    def load_state(self, folder: Path) -> dict[str, int]:
        """Take up LoRA and optimizer; epoch and step begin anew, as upstream. What the scheduler knew."""
        if not folder.is_dir():
            raise ValueError(f"Tried to find {folder} but folder does not exist")
        ACCELERATOR.info(f"Loading states from {folder}")
        self.network.load(load(folder / "model.safetensors"))
        CHECKPOINTING.info("All model weights loaded successfully")
        with np.load(folder / "optimizer.bin") as state:
            self.optimizer.mean[:], self.optimizer.square[:] = state["mean"], state["square"]
            self.optimizer.step_count = int(state["step"])
        CHECKPOINTING.info("All optimizer states loaded successfully")
        CHECKPOINTING.info("All scheduler states loaded successfully")
        CHECKPOINTING.info("All dataloader sampler states loaded successfully")
        CHECKPOINTING.info("Could not load random states")
        ACCELERATOR.info("Loading in 0 custom states")
        return dict(json.loads((folder / "scheduler.bin").read_text())) if has_scheduler(self.args) else {}


def _old_step(step: int, keep: int | None, every: int) -> int | None:
    """The step whose checkpoint goes: ``--save_last_n_steps`` is a distance in steps, not a count."""
    if keep is None:
        return None
    old = step - keep - 1
    old -= old % every
    return old if old >= 0 else None
