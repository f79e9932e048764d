"""After a crash a training goes on by itself, from what it did itself; an end that somebody wanted is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from plugins.wan.tests.going_on import CRASH, EPOCH, ONCE, crashed, named, resumed_from, states_on, steps

from musubi_nodes.errors import Crashed
from musubi_nodes.files import write_json
from musubi_nodes.runs.record import heartbeat
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.states import states
from musubi_nodes.testing.errors import fails

BREAKS = """
import os
if os.path.exists({flag!r}) and not any(word.startswith("--resume") for word in words):
    raise SystemExit("RuntimeError: the real cause")
"""
SHORT = {"max_train_epochs": 3, "save_every_n_epochs": 1, "save_state": True}


@pytest.fixture
def breaks(place: Any) -> Path:
    """Trainings that begin at step 0 break off for as long as this file exists."""
    flag: Path = place.folder / "flag"
    place.misbehaving("wan_train_network.py", BREAKS.format(flag=str(flag)))
    return flag


def test_a_training_that_is_trained_again_goes_on_from_its_own_states_only(place: Any, breaks: Path) -> None:
    caches, training = place.prepared(), place.training(**SHORT, crash_retries=1)
    place.train(caches, training=training)
    breaks.touch()
    place.forget()
    with fails("script-failed", "the real cause"):
        place.train(caches, training=training, train_again=True)
    assert len(place.started_since()) == 1 and len(place.published()) == 1


def test_a_crash_before_the_first_state_takes_none_of_an_older_training(place: Any, breaks: Path) -> None:
    caches, training = place.prepared(), place.training(**SHORT, crash_retries=1)
    place.train(caches, training=training)
    breaks.touch()
    with fails("script-failed", "the real cause"):
        place.train(caches, training=training.model_copy(update={"max_train_epochs": 4}))


def test_the_cause_is_told_also_where_an_older_state_has_another_length(place: Any, breaks: Path) -> None:
    caches, training = place.prepared(), place.training(**SHORT)
    cosine = place.settings("OptimizerConfig", optimizer_type="AdamW", lr_scheduler="cosine")
    place.train(caches, training=training, optimizer=cosine)
    breaks.touch()
    with fails("script-failed", "the real cause") as caught:
        place.train(caches, training=training.model_copy(update={"max_train_epochs": 4}), optimizer=cosine)
    assert caught.value.log and caught.value.log.is_file()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "starts"), [(15, 1), (9, 2)], ids=["SIGTERM", "SIGKILL"])
def test_an_end_that_somebody_asked_for_is_not_undone(place: Any, number: int, starts: int) -> None:
    """SIGKILL is what the system sends when the memory is full."""
    caches = place.prepared()
    code = CRASH.format(state="000001", when=ONCE).replace("os._exit(3)", f"os.kill(os.getpid(), {number})")
    place.misbehaving("wan_train_network.py", code)
    place.forget()
    training = states_on(place, crash_retries=1)
    if starts == 1:
        with fails("script-ended-from-outside", "SIGTERM", "auto"):
            place.train(caches, training=training)
    else:
        assert place.train(caches, training=training).lora.complete
    assert len(place.started_since()) == starts


def test_retries_are_counted_over_those_for_memory_too(place: Any) -> None:
    """Each run saves a state; the first two crash, the third runs out of memory, all later ones crash again."""
    caches = place.prepared()
    count = str(place.folder / "count")
    fault = f"""
def end():
    with open({count!r}, "a") as file:
        file.write("x")
    if os.path.getsize({count!r}) == 3:
        os.write(2, b"torch.OutOfMemoryError: CUDA out of memory.\\n")
    os._exit(3)
"""
    code = CRASH.format(state="000001", when="True").replace("os._exit(3)", "end()")
    place.misbehaving("wan_train_network.py", f"import os\n{fault}\n{code}")
    memory = place.settings("MemoryOptimizer", oom_retries=1)
    place.forget()
    with pytest.raises(Crashed):
        place.train(caches, training=states_on(place, max_train_epochs=1000, crash_retries=2), memory=memory)
    assert len(place.started_since()) == 4


@pytest.mark.parametrize("elsewhere", [{"place": "a container that is gone", "host": 1}, {"started": "1"}])
def test_a_training_whose_host_was_killed_goes_on(
    place: Any, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, Any]
) -> None:
    monkeypatch.setattr(heartbeat, "STOPPED", 0.5)
    caches, training = place.prepared(), states_on(place)
    broken = crashed(place, caches, training)
    write_json(broken.path / "status.json", {"status": "running", **heartbeat.this_host(), **elsewhere})
    place.train(caches, training=training.model_copy(update={"resume": "auto"}))
    assert resumed_from(place) == [str(states(broken)[-1].path)]


def test_auto_that_finds_nothing_says_what_differs(place: Any) -> None:
    caches, auto = place.caches(), {"resume": "auto"}
    training = place.training(**SHORT)
    place.train(caches, training=training.model_copy(update=auto))
    assert not any("resume" in text for text in place.texts)  # the first training of a name has nothing to say
    newest = place.started()[-1].name
    other = training.model_copy(update={**auto, "seed": 7, "max_train_epochs": 1})
    rank = place.network(network_dim=8)
    place.train(caches, training=other, network=rank)
    assert newest in place.texts[0] and place.texts[0].endswith("network_dim, seed")
    more = place.caches(place.dataset(count=5))
    place.train(more, training=other, network=rank)
    assert newest not in place.texts[0] and "resume" in place.texts[0] and "seed" not in place.texts[0]


def test_auto_says_where_a_run_of_the_training_has_no_state(place: Any) -> None:
    caches, training = place.prepared(), place.training(max_train_epochs=1)
    place.train(caches, training=training)
    place.train(caches, training=training.model_copy(update={"resume": "auto", "max_train_epochs": 2}))
    assert "resume" in place.texts[0] and place.started()[-2].name in place.texts[0]


def test_a_named_state_of_another_rank_is_refused_before_the_start(place: Any) -> None:
    caches, training = place.prepared(), place.training(**SHORT)
    state = states(RunFolder(place.train(caches, training=training).run.folder))[0]
    place.forget()
    with fails("state-settings-mismatch", "network_dim", 4, 8):
        resumed = training.model_copy(update={"resume": named(place, state)})
        place.train(caches, training=resumed, network=place.network(network_dim=8))
    assert place.started_since() == []


def test_a_named_state_counts_the_epochs_of_a_grown_dataset(place: Any) -> None:
    training = place.training(**SHORT)
    state = states(RunFolder(place.train(place.caches(), training=training).run.folder))[0]
    grown = place.caches(place.dataset(count=2 * EPOCH))
    made = place.train(grown, training=training.model_copy(update={"resume": named(place, state)}))
    assert steps(made.run.folder)[-1] == 2 * EPOCH * 3


def test_a_schedule_free_training_goes_on(place: Any, breaks: Path) -> None:
    package = breaks.parent / "misbehaving" / "src"
    (package / "schedulefree").mkdir()
    (package / "schedulefree" / "__init__.py").touch()
    (package / "schedulefree-1.4.dist-info").mkdir()
    (package / "schedulefree-1.4.dist-info" / "METADATA").write_text("Name: schedulefree\nVersion: 1.4\n")
    optimizer = place.settings("OptimizerConfig", optimizer_type="schedulefree.AdamWScheduleFree")
    caches, training = place.prepared(), place.training(**SHORT)
    first = RunFolder(place.train(caches, training=training, optimizer=optimizer).run.folder)
    assert not list(first.out.glob("*/scheduler.bin"))
    longer = training.model_copy(update={"resume": "auto", "max_train_epochs": 4})
    place.train(caches, training=longer, optimizer=optimizer)
    assert resumed_from(place) == [str(first.out / "my_lora-state")]


def test_a_name_with_a_date_keeps_it(place: Any) -> None:
    caches, training, name = place.prepared(), place.training(**SHORT), "girl-20251125"
    place.train(caches, training=training, output_name=name)
    longer = training.model_copy(update={"resume": "auto", "max_train_epochs": 4})
    made = place.train(caches, training=longer, output_name=name)
    assert resumed_from(place)[0].endswith(f"{name}-state") and steps(made.run.folder)[-1] == 4 * EPOCH
    assert made.lora.path.name == f"{name}-2.safetensors"


@pytest.mark.parametrize("sound", [True, False], ids=["sound", "damaged since"])
def test_a_lora_that_could_not_be_handed_on_is_so_by_the_next_queue(place: Any, sound: bool) -> None:
    caches, folder = place.prepared(), place.folder / "output/models/loras/musubi"
    folder.parent.mkdir(parents=True)

    def get_in_the_way(node_id: str, now: Progress) -> None:
        if now.stage == "training":
            folder.write_text("a file", "utf-8")

    place.host.progress = get_in_the_way
    with fails("folder-not-writable"):
        place.train(caches)
    del place.host.progress
    run = RunFolder(place.started()[-1])
    with fails("folder-not-writable"):
        place.train(caches)
    assert place.started()[-1] == run.path and run.status()["status"] == "failed"
    folder.unlink()
    if not sound:
        os.truncate(run.out / "my_lora.safetensors", 1000)
    place.forget()
    lora = place.train(caches).lora
    assert len(place.started_since()) == (0 if sound else 1)
    assert lora.path == folder / "my_lora.safetensors" and lora.complete
    assert RunFolder(run.path).status().get("made") == ("musubi/my_lora.safetensors" if sound else None)
    place.forget()
    assert place.train(caches).lora.path == lora.path and not place.started_since()
    assert place.published() == [lora.path]
