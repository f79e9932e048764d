"""A training that went on keeps as many states as its settings say, over all of its runs; nothing else is removed."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.wan.tests.going_on import crashed, named, resumed_from, states_on, stopped_after_save

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RESUMED, RunFolder
from musubi_nodes.runs.record.heartbeat import this_host
from musubi_nodes.runs.record.states import states

AUTO = {"resume": "auto"}


def saved(*runs: RunFolder) -> list[int]:
    return sorted(state.step for run in runs for state in states(run) if state.by != "end")


def test_states_of_earlier_runs_go_when_the_training_is_complete(place: Any) -> None:
    caches = place.prepared()
    training = states_on(place, max_train_epochs=6, save_last_n_epochs_state=3)
    bystander = RunFolder(place.train(caches, training=training, output_name="other").run.folder)
    broken = crashed(place, caches, training)
    before, others = saved(broken), saved(bystander)
    files = {path.name for path in broken.out.glob("*.safetensors")}
    done = RunFolder(place.train(caches, training=training.model_copy(update=AUTO)).run.folder)
    every = sorted({*before, *saved(done)})
    assert saved(broken, done) == every[-3:] and saved(done) and len(before) >= 2
    assert saved(bystander) == others and {path.name for path in broken.out.glob("*.safetensors")} == files


def test_states_are_kept_while_the_training_is_not_complete(place: Any) -> None:
    caches = place.prepared()
    training = states_on(place, max_train_epochs=400, save_every_n_epochs=5, save_last_n_epochs_state=2)
    stopped = RunFolder(stopped_after_save(place, caches, training).run.folder)
    before = saved(stopped)
    again = stopped_after_save(place, caches, training.model_copy(update={**AUTO, "max_train_epochs": 401}))
    assert not again.lora.complete and saved(stopped) == before


def test_states_by_steps_are_kept_by_their_distance(place: Any) -> None:
    caches = place.prepared()
    values = {"save_every_n_epochs": 0, "save_every_n_steps": 2, "max_train_epochs": 5}
    first = RunFolder(place.train(caches, training=states_on(place, **values)).run.folder)
    longer = states_on(place, **{**values, "max_train_epochs": 6}, save_last_n_steps_state=8, **AUTO)
    second = RunFolder(place.train(caches, training=longer).run.folder)
    assert saved(first) == [16, 18, 20] and saved(second) == [22, 24]


@pytest.mark.parametrize("kept", [None, 2])
def test_without_the_setting_or_while_another_run_began_with_them_states_stay(place: Any, kept: int | None) -> None:
    caches = place.prepared()
    training = states_on(place, max_train_epochs=3, save_last_n_epochs_state=kept)
    first = RunFolder(place.train(caches, training=states_on(place, max_train_epochs=3)).run.folder)
    before = saved(first)
    if kept:
        other = RunFolder.create(place.host.output_folder, "Other")
        other.write_status("running", **this_host())
        state = f"{first.path.name}/out/{states(first)[0].path.name}"
        write_json(other.path / RESUMED, {"state": state, "step": before[0], "epoch": 1})
    place.train(caches, training=training.model_copy(update={**AUTO, "max_train_epochs": 6}))
    assert saved(first) == (before if kept is None else before[:1])


def test_states_of_another_training_that_it_began_with_stay(place: Any) -> None:
    caches = place.prepared()
    first = RunFolder(place.train(caches, training=states_on(place, max_train_epochs=4)).run.folder)
    before, begun = saved(first), states(first)[2]
    values = {"max_train_epochs": 5, "seed": 7, "save_last_n_epochs_state": 1}
    other = states_on(place, **values, resume=named(place, begun))
    place.train(caches, training=other, output_name="other")
    assert resumed_from(place) and saved(first) == before
