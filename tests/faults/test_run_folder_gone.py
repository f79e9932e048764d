"""Somebody tidies up while a training runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.config import cache_folder
from musubi_nodes.runs.hardware.devices import device_queue
from musubi_nodes.runs.record.folder import runs_of
from musubi_nodes.testing.errors import fails

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")


def when_it_trains(place: Any, do: Callable[[], None]) -> None:
    """``do`` once, at the first step."""
    done: list[bool] = []

    def progress(node_id: str, now: Any) -> None:
        if now.stage == "training" and not done:
            done.append(True)
            do()

    place.host.progress = progress


@pytest.mark.parametrize("what", ["the run", "all runs", "only what came out"])
def test_a_run_folder_that_is_deleted_while_it_trains(faulty: Any, what: str) -> None:
    place = faulty()
    runs = runs_of(place.host.output_folder)

    def delete() -> None:
        trainer = next(runs.glob("*Trainer*"))
        shutil.rmtree({"the run": trainer, "all runs": runs}.get(what, trainer / "out"))

    when_it_trains(place, delete)
    settings = {"max_train_epochs": 60, "learning_rate": 0.01, "save_every_n_epochs": 0}
    longer = place.run("TrainingConfig", **settings).training
    if what == "only what came out":
        assert place.train(training=longer).lora  # musubi-tuner makes the folder anew when it saves
    else:
        with fails("run-folder-deleted") as caught:
            place.train(training=longer)
        assert place.published() == [] and not list(runs.glob("*Trainer*"))
    del place.host.progress
    place.survived(None if what == "only what came out" else caught.value, log=False)


def delete(folder: Path) -> None:
    """All of it, also what its heart writes meanwhile."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("what", ["the run", "all runs"])
def test_a_run_folder_that_is_deleted_before_its_script_starts(faulty: Any, what: str) -> None:
    place = faulty()
    caches, runs = place.caches(), runs_of(place.host.output_folder)

    def progress(node_id: str, now: Any) -> None:
        trainers = list(runs.glob("*Trainer*"))
        if now.stage == "checking" and trainers:
            delete(runs if what == "all runs" else trainers[0])

    place.host.progress = progress
    with fails("run-folder-deleted", "wan_train_network.py") as caught:
        place.run("WanLoRATrainer", **caches)
    assert not list(runs.glob("*Trainer*")) and place.published() == []
    del place.host.progress
    place.survived(caught.value, log=False)


def test_a_run_folder_that_is_deleted_while_it_waits_for_the_gpu(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = faulty()
    caches, runs = place.caches(), runs_of(place.host.output_folder)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    on_a_gpu = replace(place.services.install("practice"), cpu=False)
    with ExitStack() as another, monkeypatch.context() as changed:
        changed.setattr(place.services, "install", lambda name=None: on_a_gpu)
        another.enter_context(device_queue(cache_folder() / "locks", ["0"], lambda: None))

        def progress(node_id: str, now: Any) -> None:
            if now.stage == "waiting for the GPU":
                delete(next(runs.glob("*Trainer*")))
                another.close()

        place.host.progress = progress
        with fails("run-folder-deleted", "wan_train_network.py") as caught:
            place.run("WanLoRATrainer", **caches)
    assert not list(runs.glob("*Trainer*")) and place.published() == []
    del place.host.progress
    place.survived(caught.value, log=False)
