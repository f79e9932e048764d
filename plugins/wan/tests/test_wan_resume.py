"""A training that was ended goes on from its newest state: the same steps, the same learning rate, one curve."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugins.wan.tests.going_on import (
    CRASH,
    EPOCH,
    ONCE,
    crashed,
    named,
    rates,
    resumed_from,
    states_on,
    steps,
    stopped_after_save,
)
from safetensors.numpy import load_file, save_file

from musubi_nodes.errors import Crashed
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.states import states, true_name
from musubi_nodes.testing.errors import fails


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"lr_scheduler": "cosine", "lr_warmup_steps": 0.1},
        {"lr_scheduler": "linear"},
        {"lr_scheduler": "polynomial", "lr_scheduler_power": 2.0},
        {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.2},
        {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": 8, "lr_decay_steps": 0.2},
        {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 0.5},
        {"lr_scheduler": "rex"},
        {"lr_scheduler": "piecewise_constant", "lr_scheduler_args": "step_rules='1:30,0.1:70,0.01'"},
    ],
    ids=lambda values: values.get("lr_scheduler", "constant"),
)
def test_a_crashed_training_goes_on_with_the_steps_and_learning_rates_of_a_whole_one(
    place: Any, values: dict[str, Any]
) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=30)
    optimizer = place.settings("OptimizerConfig", optimizer_type="AdamW", **values)
    whole_one = place.train(caches, training=training, optimizer=optimizer, output_name="whole")
    broken = crashed(place, caches, training, optimizer=optimizer)
    state = states(broken)[-1]
    training = training.model_copy(update={"resume": "auto"})
    gone_on = place.train(caches, training=training, optimizer=optimizer)
    command = " ".join(place.command())
    assert f"--resume={state.path}" in command and f"--max_train_steps={30 * EPOCH - state.step}" in command
    assert gone_on.lora.complete and gone_on.lora.path.name == "my_lora.safetensors"
    assert steps(gone_on.run.folder) == steps(whole_one.run.folder) == list(range(1, 30 * EPOCH + 1))
    assert rates(gone_on.run.folder) == pytest.approx(rates(whole_one.run.folder))
    assert RunFolder(gone_on.run.folder).progress()["steps"] == 30 * EPOCH


def test_a_training_that_was_stopped_after_a_save_goes_on_to_its_end(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=400, save_every_n_epochs=5)

    stopped = stopped_after_save(place, caches, training)
    assert not stopped.lora.complete
    made = place.train(caches, training=training.model_copy(update={"resume": "auto"}))
    state = states(RunFolder(stopped.run.folder))[-1]
    assert made.lora.complete and f"--resume={state.path}" in place.command()
    assert steps(made.run.folder) == list(range(1, 400 * EPOCH + 1))
    assert set(rates(made.run.folder)) == {rates(made.run.folder)[0]}


def test_a_stopped_training_without_states_says_that_it_cannot_go_on(place: Any) -> None:
    stopped_after_save(place, place.prepared(), place.training(max_train_epochs=400, save_every_n_epochs=5))
    assert "save_state" in place.texts[-1]


def test_after_a_crash_it_goes_on_by_itself(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", CRASH.format(state="000002", when=ONCE))
    made = place.train(caches, training=states_on(place, crash_retries=1))
    assert made.lora.complete and steps(made.run.folder) == list(range(1, 40 * EPOCH + 1))
    assert any("wan_train_network.py" in text for text in place.texts)


def test_it_gives_up_after_so_many_crashes(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", CRASH.format(state="000001", when="True"))
    place.forget()
    with pytest.raises(Crashed):
        place.train(caches, training=states_on(place, max_train_epochs=1000, crash_retries=2))
    assert len(place.started_since()) == 3


def test_a_crash_without_a_state_is_told_at_once(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", "raise SystemExit(5)")
    place.forget()
    with pytest.raises(Crashed):
        place.train(caches, training=states_on(place, crash_retries=5))
    assert len(place.started_since()) == 1


def test_a_half_written_state_is_skipped(place: Any) -> None:
    caches, training = place.prepared(), states_on(place)
    broken = crashed(place, caches, training, state="000003")
    first, *_, last = states(broken)
    for state in states(broken)[1:]:
        optimizer = state.path / "optimizer.bin"
        os.truncate(optimizer, optimizer.stat().st_size // 2)
    assert states(broken) == [first]
    place.train(caches, training=training.model_copy(update={"resume": "auto"}))
    assert f"--resume={first.path}" in place.command()
    named = last.path.relative_to(place.host.output_folder).as_posix()
    with fails("state-incomplete", last.path.name):
        place.train(caches, training=training.model_copy(update={"resume": named}))


def test_a_state_of_a_loss_that_was_no_number_is_skipped(place: Any) -> None:
    caches, training = place.prepared(), states_on(place)
    broken = crashed(place, caches, training, state="000003")
    first, *later = states(broken)
    for state in later:
        path = state.path / "model.safetensors"
        save_file({name: np.full_like(tensor, np.nan) for name, tensor in load_file(path).items()}, path)
    place.train(caches, training=training.model_copy(update={"resume": "auto"}))
    assert f"--resume={first.path}" in place.command()


def test_without_a_state_auto_begins_at_the_beginning(place: Any) -> None:
    place.train(training=place.training(resume="auto"))
    assert not any(word.startswith("--resume") for word in place.command())


def test_another_training_leaves_the_state_alone(place: Any) -> None:
    caches, training = place.prepared(), states_on(place)
    crashed(place, caches, training)
    other = training.model_copy(update={"resume": "auto", "max_train_epochs": 1})
    place.train(caches, training=other, network=place.network(network_dim=8))
    assert not any(word.startswith("--resume") for word in place.command())


def test_a_finished_training_is_handed_on_and_trains_longer_when_it_is_made_longer(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=2)
    first = place.train(caches, training=training)
    place.forget()
    auto = training.model_copy(update={"resume": "auto"})
    assert place.train(caches, training=auto).lora.path == first.lora.path and not place.started_since()
    longer = place.train(caches, training=auto.model_copy(update={"max_train_epochs": 3}))
    assert steps(longer.run.folder) == list(range(1, 3 * EPOCH + 1))
    assert f"--max_train_steps={EPOCH}" in place.command()


def test_a_longer_training_with_a_falling_rate_must_be_accepted(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=2)
    optimizer = place.settings("OptimizerConfig", optimizer_type="AdamW", lr_scheduler="cosine")
    place.train(caches, training=training, optimizer=optimizer)
    longer = training.model_copy(update={"resume": "auto", "max_train_epochs": 4})
    with fails("learning-rate-changed", "cosine", 8, 16, 0.005):
        place.train(caches, training=longer, optimizer=optimizer)
    made = place.train(caches, training=longer.model_copy(update={"accept_lr_change": True}), optimizer=optimizer)
    assert rates(made.run.folder)[8] == pytest.approx(0.005, rel=0.3)


def test_a_named_state_counts_as_well(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=3)
    first = place.train(caches, training=training)
    folder = RunFolder(first.run.folder)
    (state,) = (each for each in states(folder) if each.step == EPOCH)
    named = {"resume": state.path.relative_to(place.host.output_folder).as_posix()}
    place.train(caches, training=training.model_copy(update={**named, "max_train_epochs": 2}))
    assert f"--max_train_steps={EPOCH}" in place.command()
    with fails("training-already-done", 4):
        place.train(caches, training=training.model_copy(update={**named, "max_train_epochs": 1}))
    alone = Path(shutil.copytree(state.path, place.host.output_folder / "lone-state"))
    with fails("state-outside-run", alone.name):
        place.train(caches, training=training.model_copy(update={"resume": alone.name}))


def test_names_tell_the_step_or_epoch_of_the_whole_training(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, save_every_n_steps=3, max_train_epochs=3)
    first = place.train(caches, training=training)
    by_step = next(s for s in states(RunFolder(first.run.folder)) if s.path.name == "my_lora-step00000003-state")
    by_epoch = next(s for s in states(RunFolder(first.run.folder)) if s.path.name == "my_lora-000001-state")
    found = {}
    for state in (by_step, by_epoch):
        named = {"resume": state.path.relative_to(place.host.output_folder).as_posix()}
        folder = RunFolder(place.train(caches, training=training.model_copy(update=named)).run.folder)
        found[state.step] = {path.stem: true_name(folder, path) for path in folder.out.glob("*.safetensors")}
    assert found[3]["my_lora-step00000003"] == "my_lora-step00000006.safetensors"
    assert found[3]["my_lora-000001"] == "my_lora-step00000007.safetensors"  # no epoch of the whole training ends here
    assert found[4]["my_lora-000001"] == "my_lora-000002.safetensors"
    assert found[4]["my_lora"] == "my_lora.safetensors"


def test_trained_again_a_named_state_counts_and_auto_is_told_to_be_left_out(place: Any) -> None:
    caches, training = place.prepared(), states_on(place, max_train_epochs=3)
    state = states(RunFolder(place.train(caches, training=training).run.folder))[0]
    place.train(caches, training=training.model_copy(update={"resume": named(place, state)}), train_again=True)
    assert resumed_from(place) == [str(state.path)]
    place.train(
        caches, training=training.model_copy(update={"resume": "auto", "max_train_epochs": 4}), train_again=True
    )
    assert resumed_from(place) == [] and any("train_again" in text for text in place.texts)
    with fails("state-missing", "no/such-state"):
        place.train(caches, training=training.model_copy(update={"resume": "no/such-state"}), train_again=True)


@pytest.fixture
def saved(place: Any) -> tuple[Any, Any, Any, Any]:
    """Caches, settings and a named state of a training that crashed."""
    caches, training = place.prepared(), states_on(place)
    optimizer = place.settings("OptimizerConfig", optimizer_type="AdamW", weight_decay=0.01)
    state = states(crashed(place, caches, training, optimizer=optimizer))[-1]
    return caches, training.model_copy(update={"resume": named(place, state)}), optimizer, state


OTHER = {
    "learning_rate": ("training", 0.002, "0.01 0.002"),
    "network_alpha": ("network", 3.0, "3.0"),
    "network_args": ("network", "verbose=True", "'' 'verbose=True'"),
    "weight_decay": ("optimizer", 0.5, "0.01 0.5"),
    "eps": ("optimizer", 1e-6, "None 1e-06"),
    "optimizer_type": ("optimizer", "Adagrad", "'AdamW' 'Adagrad'"),
    "optimizer_args": ("optimizer", "amsgrad=True", "'' 'amsgrad=True'"),
    "lr_scheduler": ("optimizer", "cosine", "'constant' 'cosine'"),
}


def test_a_named_state_is_not_gone_on_from_with_settings_that_it_does_not_keep(place: Any, saved: Any) -> None:
    caches, training, optimizer, _ = saved
    place.forget()
    for name, (which, value, both) in OTHER.items():
        inputs = {"training": training, "optimizer": optimizer, "network": place.network()}
        inputs[which] = inputs[which].model_copy(update={name: value})
        with fails("state-settings-mismatch", name, *both.split()):
            place.train(caches, **inputs)
    assert not place.started_since()


def test_a_named_state_goes_on_with_what_the_new_run_decides(place: Any, saved: Any) -> None:
    caches, training, optimizer, state = saved
    training = training.model_copy(update={"save_every_n_epochs": 20, "gradient_accumulation_steps": 1, "seed": 7})
    made = place.train(caches, training=training, optimizer=optimizer.model_copy(update={"max_grad_norm": 0.5}))
    assert made.lora.complete and resumed_from(place) == [str(state.path)]


def test_the_optimizer_that_auto_chose_then_is_not_another_one_now(place: Any, saved: Any) -> None:
    """bitsandbytes was there when the state was saved."""
    caches, training, optimizer, state = saved
    plan = state.path.parents[1] / "training.json"
    plan.write_text(plan.read_text("utf-8").replace("'AdamW'", "'AdamW8bit'"), "utf-8")
    with fails("state-settings-mismatch", "optimizer_type", "'AdamW8bit'", "'AdamW'"):
        place.train(caches, training=training, optimizer=optimizer.model_copy(update={"optimizer_type": "auto"}))


def test_a_named_state_without_a_record_of_its_settings_is_refused(place: Any, saved: Any) -> None:
    caches, training, optimizer, state = saved
    (state.path.parents[1] / "training.json").unlink()
    with fails("state-settings-unknown"):
        place.train(caches, training=training, optimizer=optimizer)


def test_a_named_state_of_nan_is_refused(place: Any, saved: Any) -> None:
    caches, training, optimizer, state = saved
    path = state.path / "model.safetensors"
    save_file({name: np.full_like(tensor, np.nan) for name, tensor in load_file(path).items()}, path)
    with fails("state-not-finite"):
        place.train(caches, training=training, optimizer=optimizer)


def test_another_state_under_the_same_name_is_another_training(place: Any, saved: Any) -> None:
    caches, training, optimizer, state = saved
    place.train(caches, training=training, optimizer=optimizer)
    place.forget()
    place.train(caches, training=training, optimizer=optimizer)
    assert not place.started_since()
    path = state.path / "model.safetensors"
    times = path.stat()
    save_file({name: np.asarray(tensor + np.float32(0.01)) for name, tensor in load_file(path).items()}, path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    place.train(caches, training=training, optimizer=optimizer)
    assert place.started_since()
