"""Disk space that a training of whole models needs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from shutil import disk_usage

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.memory.footprint import GIB
from musubi_nodes.families.recognition.parts import whole_header
from musubi_nodes.families.settings import Training
from musubi_nodes.i18n import translate


@dataclass(frozen=True)
class Saves:
    """How many models and states lie in the run folder at most."""

    models: int
    states: int


def parameters_of(dit: Path) -> int:
    return sum(prod(tensor.shape) for tensor in whole_header(dit).tensors.values())


def state_bytes(optimizer: str, width: int) -> int:
    """Return bytes for each parameter, of ``width`` bytes, in a state."""
    name = optimizer.rpartition(".")[2].lower()
    moments = 0 if name in ("adafactor", "sgd") else 2 if "8bit" in name else 2 * width
    return width + moments


def saves_of(training: Training, per_epoch: int | None) -> Saves:
    """Count what is kept; a new save is written before an old one is removed (utils/train_utils.py, v0.3.4)."""
    epochs = training.max_train_epochs or (ceil((training.max_train_steps or 0) / per_epoch) if per_epoch else 0)
    steps = training.steps(per_epoch or 0)
    by_epoch = (epochs - 1) // training.save_every_n_epochs if training.save_every_n_epochs and epochs else 0
    by_step = steps // training.save_every_n_steps if training.save_every_n_steps else 0

    def kept(last_epochs: int | None, last_steps: int | None) -> int:
        of_epochs = min(by_epoch, last_epochs + 1) if last_epochs else by_epoch
        every = training.save_every_n_steps or 1
        return of_epochs + (min(by_step, last_steps // every + 2) if last_steps else by_step)

    last = (training.save_last_n_epochs, training.save_last_n_steps)
    states = (training.save_last_n_epochs_state or last[0], training.save_last_n_steps_state or last[1])
    ends = training.save_state or training.save_state_on_train_end
    return Saves(kept(*last) + 1, (kept(*states) if training.save_state else 0) + ends)


def check_space(title: str, folder: Path, target: Path, saves: Saves, model: int, state: int) -> None:
    """Raise unless models and states fit into ``folder``, and one model into ``target`` if that is another disk."""
    _check(title, folder, saves, model, state)
    there = next(each for each in (target, *target.parents) if each.exists())
    if there.stat().st_dev != folder.stat().st_dev:
        _check(title, there, Saves(1, 0), model, state)


def _check(title: str, folder: Path, saves: Saves, model: int, state: int) -> None:
    needed, free = saves.models * model + saves.states * state, disk_usage(folder).free
    if needed > free:
        raise MusubiError(
            "disk-too-small",
            f"{title} would save about {needed / GIB:.1f} GiB, and the disk of {folder} has {free / GIB:.1f} GiB left",
            why=translate(
                "{models} models of {model:.1f} GiB, {states} states of {state:.1f} GiB.",
                models=saves.models,
                model=model / GIB,
                states=saves.states,
                state=state / GIB,
            ),
            fix="Free some space. Or save less in Training Config: raise save_every_n_epochs, set save_last_n_epochs, "
            "or turn save_state off.",
        )
