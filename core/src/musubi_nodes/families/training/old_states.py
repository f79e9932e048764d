"""States that are too old, in the runs that a training went on from: musubi-tuner sees those of its own run only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes.families.settings import Training
from musubi_nodes.families.training.fingerprint import PLAN
from musubi_nodes.log import log
from musubi_nodes.runs.record.folder import RESUMED, RunFolder, run_folders
from musubi_nodes.runs.record.run_chain import parts
from musubi_nodes.runs.record.states import State, states
from musubi_nodes.sharing import discard_folder


def remove_old_states(run: RunFolder, training: Training) -> None:
    """Once ``run`` has ended complete: of all runs of its training as many states are kept as the settings say.

    Nothing but numbered states in the folders of earlier runs is removed; not one that a running training began with,
    and none where the settings keep all. What cannot be removed stays: the training is good all the same.
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
    """What the runs that it went on from had saved until there, newest first; not of a run of another training, which a
    state that was named by hand may be of."""
    key = run.read_json(PLAN).get("key")
    for earlier, until in parts(run)[-2::-1]:
        if earlier.read_json(PLAN).get("key") != key:
            return
        yield from (state for state in states(earlier) if state.step <= until.steps)


def _in_use(output: Path) -> Iterator[str]:
    for run in run_folders(output):
        if (begun := run.read_json(RESUMED).get("state")) and run.status()["status"] == "running":
            yield str(begun)


def _named(state: State) -> str:
    return f"{state.path.parents[1].name}/out/{state.path.name}"


def _too_old(found: list[State], training: Training) -> Iterator[State]:
    """By musubi-tuner's rules: so many of those saved by epochs, and those of the last so many steps; the number of
    states, else that of checkpoints (utils/train_utils.py, v0.3.4)."""
    epochs = training.save_last_n_epochs_state or training.save_last_n_epochs
    steps = training.save_last_n_steps_state or training.save_last_n_steps
    by_epoch, by_step = ([state for state in found if state.by == by] for by in ("epoch", "step"))
    yield from by_epoch[:-epochs] if epochs else ()
    yield from (state for state in by_step if steps and state.step < by_step[-1].step - steps)
