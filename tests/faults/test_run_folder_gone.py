"""Somebody tidies up while a training runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import runs_of

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
    settings = {"max_train_epochs": 60, "network_dim": 4, "learning_rate": 0.01, "save_every_n_epochs": 0}
    longer = place.run("TrainingConfig", **settings).training
    if what == "only what came out":
        assert place.train(training=longer).lora  # musubi-tuner makes the folder anew when it saves
    else:
        with pytest.raises(MusubiError, match="was deleted or moved while") as caught:
            place.train(training=longer)
        assert place.published() == [] and not list(runs.glob("*Trainer*"))
    del place.host.progress
    place.survived(None if what == "only what came out" else caught.value, log=False)
