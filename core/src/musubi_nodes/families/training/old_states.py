"""Removal of old states in earlier runs of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes.families.settings import Training
from musubi_nodes.families.training.fingerprint import TRAINING_FILE
from musubi_nodes.log import log
from musubi_nodes.runs.record.folder import RESUMED, RunFolder, run_folders
from musubi_nodes.runs.record.run_chain import parts
from musubi_nodes.runs.record.states import State, states
from musubi_nodes.sharing import discard_folder


def remove_old_states(run: RunFolder, training: Training) -> None:
    """Keep as many states of the finished training as configured.

    States that a running training began with stay, and errors are ignored.
    """
    with contextlib.suppress(OSError):
        _remove(run, training)


def _remove(run: RunFolder, training: Training) -> None:
    earlier = list(_earlier(run))
    needed = set(_in_use(run.path.parents[2])) if earlier else set()
    for state in _too_old(sorted((*earlier, *states(run)), key=lambda state: state.step), training):
        if state in earlier and _named(state) not in needed and not state.path.is_symlink():
            log.info("removing old state: %s", state.path)
            discard_folder(state.path)


def _earlier(run: RunFolder) -> Iterator[State]:
    """Yield states of the same training's earlier runs, newest first."""
    key = run.read_json(TRAINING_FILE).get("key")
    for earlier, until in parts(run)[-2::-1]:
        if earlier.read_json(TRAINING_FILE).get("key") != key:
            return
        yield from (state for state in states(earlier) if state.step <= until.steps)


def _in_use(output: Path) -> Iterator[str]:
    for run in run_folders(output):
        if (begun := run.read_json(RESUMED).get("state")) and run.status()["status"] == "running":
            yield str(begun)


def _named(state: State) -> str:
    return f"{state.path.parents[1].name}/out/{state.path.name}"


def _too_old(found: list[State], training: Training) -> Iterator[State]:
    """Apply musubi-tuner's rules (utils/train_utils.py, v0.3.4)."""
    epochs = training.save_last_n_epochs_state or training.save_last_n_epochs
    steps = training.save_last_n_steps_state or training.save_last_n_steps
    by_epoch, by_step = ([state for state in found if state.by == by] for by in ("epoch", "step"))
    yield from by_epoch[:-epochs] if epochs else ()
    yield from (state for state in by_step if steps and state.step < by_step[-1].step - steps)
