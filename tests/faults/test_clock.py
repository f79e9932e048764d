"""The clock is set back: by a person, by a time server, and by daylight saving time each autumn."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.lora import checkpoints_of
from musubi_nodes.families.sockets import Run
from musubi_nodes.runs.record.folder import RunFolder, run_folders


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on this program sees an earlier time."""

    def do() -> None:
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 3600)

    return do


def test_caches_that_seem_older_than_their_run_are_kept_and_reused(faulty: Any) -> None:
    place = faulty("clock_back")
    place.caches("faulty")
    assert len(list(place.folder.glob("output/musubi/cache/**/*.safetensors"))) == 8
    place.forget()
    place.caches()
    assert place.started_since() == []
    place.survived()


def test_what_is_gone_from_the_dataset_is_gone_from_the_cache_also_then(faulty: Any) -> None:
    place = faulty("clock_back")
    place.caches()
    for name in ("p3.png", "p3.txt"):
        (place.folder / "pictures" / name).unlink()
    place.caches("faulty")
    names = {path.name for path in place.folder.glob("output/musubi/cache/**/*.safetensors")}
    assert len(names) == 6 and not [name for name in names if name.startswith("p3")]
    place.survived()


def test_a_training_whose_lora_seems_older_than_its_run_is_handed_on(faulty: Any) -> None:
    place = faulty("clock_back wan_train_network.py")
    first = place.train("faulty").lora
    place.forget()
    assert place.train().lora.path == first.path and place.started_since() == []
    place.survived()


def test_the_newest_run_stays_the_newest(faulty: Any, set_back: Callable[[], None]) -> None:
    place = faulty()
    place.train()
    set_back()
    lora = place.train(train_again=True)
    assert next(run_folders(place.host.output_folder)).path == lora.run.folder
    place.survived()
    assert next(run_folders(place.host.output_folder)).path == place.newest.path


def test_a_name_that_is_no_time_does_not_lead_the_others(tmp_path: Path) -> None:
    for name in ("99999999-999999-WanLoRATrainer-000000", "notes"):
        (tmp_path / "musubi" / "runs" / name).mkdir(parents=True)
    assert RunFolder.create(tmp_path, "node").path.name.startswith(time.strftime("%Y"))


def test_checkpoints_come_in_the_order_of_their_steps(faulty: Any) -> None:
    place = faulty()
    training = place.run("TrainingConfig", max_train_epochs=3, save_every_n_epochs=1, learning_rate=0.01)
    run = place.train(training=training.training).run
    names = [path.name for path in checkpoints_of(run)]
    for age, name in enumerate(names):
        os.utime(run.folder / "out" / name, (1e9 - age, 1e9 - age))
    assert [path.name for path in checkpoints_of(Run(folder=run.folder))] == names
    place.run("LoRAPostHocEMA", run=run, install="practice")
    words = json.loads((place.newest.path / "command.json").read_text("utf-8"))["command"]
    assert "--no_sort" in words
    assert [Path(word).name for word in words if word.endswith(".safetensors") and "/out/my_lora" in word] == names
