"""Trainings that break off, for the tests of how they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.series import whole
from musubi_nodes.runs.record.states import State
from musubi_nodes.testing.errors import fails

EPOCH = 4
"""Steps of an epoch: the pictures of the dataset."""
EVENTS = {"log_with": "tensorboard"}
"""The learning rate is in the event files only."""
CRASH = """
import glob, os, threading, time
out = next(word for word in words if word.startswith("--output_dir=")).partition("=")[2]
def crash():
    while not any(map(os.path.getsize, glob.glob(out + "/*-{state}-state/random_states_0.pkl"))):
        time.sleep(0.001)
    os._exit(3)
if {when}:
    threading.Thread(target=crash, daemon=True).start()
"""
ONCE = 'not any(word.startswith("--resume") for word in words)'


def states_on(place: Any, **values: Any) -> Any:
    return place.training(**{"max_train_epochs": 40, "save_every_n_epochs": 1, "save_state": True, **EVENTS, **values})


def crashed(place: Any, caches: Any, training: Any, state: str = "000002", **values: Any) -> RunFolder:
    """A training that crashes once its state ``state`` is whole."""
    place.misbehaving("wan_train_network.py", CRASH.format(state=state, when=ONCE))
    with fails("script-failed", "auto", "step"):
        place.train(caches, training=training, **values)
    return RunFolder(place.started()[-1])


def stopped_after_save(place: Any, caches: Any, training: Any) -> Any:
    """A training that is asked to stop when it begins."""

    def ask(node_id: str, now: Progress) -> None:
        run = next(run for run in run_folders(place.host.output_folder) if "Trainer" in run.path.name)
        if now.stage == "training" and not run.stop_request.exists():
            run.ask_to_stop()

    place.host.progress = ask
    try:
        return place.train(caches, training=training)
    finally:
        del place.host.progress


def rates(run: Path) -> list[float]:
    return [point["lr"] for point in whole(run / "metrics.jsonl").points()]


def steps(run: Path) -> list[int]:
    return [point["step"] for point in whole(run / "metrics.jsonl").points()]


def named(place: Any, state: State) -> str:
    """A state as a user names it."""
    return state.path.relative_to(place.host.output_folder).as_posix()


def resumed_from(place: Any) -> list[str]:
    """The state that the newest command goes on from, if it does."""
    return [word.partition("=")[2] for word in place.command() if word.startswith("--resume=")]
