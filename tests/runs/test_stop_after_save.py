"""A training that is asked to end after its next save, one whose loss is no number, and runs that never began."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.files import write_json
from musubi_nodes.runs.process import stop_after_save
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.metrics import NAN_STEPS
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.series import whole
from musubi_nodes.testing.errors import fails

TRAINER = """
import sys, time
from pathlib import Path

folder, saves = Path(sys.argv[1]), {saves}
def bar(step):
    line = f"\\rsteps:  1%|          | {{step}}/900 [00:00<00:09, 9.98it/s, avr_loss=1.5]"
    print(line, end="", file=sys.stderr, flush=True)

for step in range(1, 900):
    bar(step)
    if step == 3:
        while not (folder / "stop-after-save").exists():
            time.sleep(0.01)
        time.sleep(0.5)  # two looks of the runner
    if step in saves:
        path = folder / "out" / f"toy-step{{step:08d}}.safetensors"
        print(f"\\nsaving checkpoint: {{path}}", flush=True)
        path.write_text("half")
        {during}
        path.write_text("whole")
        {after}
    time.sleep(0.005)
"""


@pytest.fixture
def train(runs: Any) -> Callable[..., Any]:
    """Runs a toy trainer in the run folder, which is asked to stop while the third step runs."""

    def start(saves: tuple[int, ...], during: str = "time.sleep(0.3)", after: str = "pass") -> Any:
        script = runs.script(TRAINER.format(saves=saves, during=during, after=after))

        def ask() -> None:
            if runs.watcher.seen and runs.folder.status()["status"] == "running":
                runs.folder.ask_to_stop()

        import sys

        return runs([sys.executable, str(script), str(runs.folder.path)], interrupt=ask)

    return start


def test_the_run_ends_after_the_next_save_and_hands_on_its_checkpoint(runs: Any, train: Callable[..., Any]) -> None:
    outcome = train((2, 5, 800))
    assert outcome.checkpoint == runs.folder.out / "toy-step00000005.safetensors"
    assert outcome.checkpoint.read_text() == "whole"
    assert not (runs.folder.out / "toy-step00000800.safetensors").exists()
    assert runs.folder.status()["status"] == "stopped"


def test_a_state_that_is_saved_after_the_lora_is_waited_for(runs: Any, train: Callable[..., Any]) -> None:
    state = 'time.sleep(0.3); (folder / "out" / "state").write_text("whole")'
    train((5,), after=state)
    assert (runs.folder.out / "state").read_text() == "whole"


def test_samples_of_the_saved_step_are_not_waited_for(runs: Any, train: Callable[..., Any]) -> None:
    sampling = (
        'print("\\nSampling timesteps for prompt 1:  50%|x| 1/2 [00:00<00:00, 3.1it/s]", file=sys.stderr, flush=True)'
        "; time.sleep(600)"
    )
    assert train((5,), after=sampling).checkpoint


@pytest.mark.parametrize("which", ["own", "elsewhere", "link", "older", "last", "above"])
def test_a_save_that_is_not_the_runs_own_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(stop_after_save, "AT_ONCE", -1.0)
    folder = RunFolder.create(tmp_path, "Trainer")
    write_json(folder.path / "command.json", {"command": ["--output_name=toy"]})
    older, own, last = (folder.out / f"toy{end}.safetensors" for end in ("-000001", "-000002", ""))
    link, elsewhere = folder.out / "toy-000003.safetensors", folder.path / "toy-000004.safetensors"
    older.write_text("whole")
    folder.stop_request.write_text("")
    stop = stop_after_save.StopAfterSave(folder)
    stop.look()
    for path in (own, last, elsewhere):
        path.write_text("whole")
    if os.name != "nt":
        link.symlink_to(elsewhere)
    above = folder.out / ".." / elsewhere.name
    named = {"own": own, "elsewhere": elsewhere, "link": link, "older": older, "last": last, "above": above}[which]
    assert stop.read(Progress("saving", 5, checkpoint=str(named))) is None
    assert stop.read(Progress("training", 7, checkpoint=str(named))) == (own if which == "own" else None)


def test_only_a_running_run_can_be_asked_to_stop(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "node")
    folder.write_status("done")
    with fails("run-not-running", folder.path.name):
        folder.ask_to_stop()


def test_a_run_that_is_refused_before_its_start_is_told_as_failed(tmp_path: Path) -> None:
    with pytest.raises(MusubiError), RunFolder.opened(tmp_path, "node") as folder:
        assert folder.status()["status"] == "running"
        raise MusubiError("option-unknown", "no such option")
    ended = {"status": "failed", "error": "no such option", "code": "option-unknown", "time": 0}
    assert folder.status() | {"time": 0} == ended
    with pytest.raises(KeyboardInterrupt), RunFolder.opened(tmp_path, "node") as folder:
        raise KeyboardInterrupt
    assert folder.status()["status"] == "cancelled"


EVENTS = """
import struct, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_events import event, record

file = Path(sys.argv[1]) / "logs" / "events.out.tfevents.1"
file.parent.mkdir()
with file.open("ab", 0) as out:
    for step, loss in enumerate({losses}, 1):
        for tag, value in (("loss/current", loss), ("loss/average", 1.0), ("lr/unet", step / 1000)):
            out.write(record(event(tag, step, float(value))))
    {end}
"""


def with_events(runs: Any, losses: list[Any], end: str = "pass") -> Any:
    import sys

    source = EVENTS.format(tests=str(Path(__file__).parent), losses=losses, end=end)
    command = [sys.executable, str(runs.script(source)), str(runs.folder.path)]
    return runs(command, events=runs.folder.path / "logs")


def test_event_files_tell_loss_and_learning_rate_of_each_step(runs: Any) -> None:
    with_events(runs, [0.5, 0.25, 0.125])
    found = [
        (point["step"], point["loss"], point["average"], point["lr"]) for point in whole(runs.folder.metrics).points()
    ]
    assert found == [(step, loss, 1.0, pytest.approx(step / 1000)) for step, loss in enumerate((0.5, 0.25, 0.125), 1)]


def test_a_loss_that_stays_nan_ends_the_run_at_once(runs: Any) -> None:
    losses = [0.5, 0.4, *["nan"] * NAN_STEPS, "nan"]
    with fails("loss-nan", 3) as caught:
        with_events(runs, losses, end="time.sleep(600)")
    assert caught.value.why and caught.value.fix and caught.value.log == runs.folder.log
    assert runs.folder.status()["status"] == "failed"


def test_single_steps_without_a_number_are_survived(runs: Any) -> None:
    """fp16 scales its gradients: a step that overflows is skipped, and the next one has a loss again."""
    with_events(runs, ["nan", 0.5] * NAN_STEPS)
    assert [json.loads(line)["loss"] for line in runs.folder.metrics.read_text().splitlines()][:2] == [None, 0.5]


def test_an_interrupt_is_not_lost_behind_a_loss_that_is_no_number(runs: Any) -> None:
    class Interrupted(Exception):
        pass

    def interrupt() -> BaseException | None:
        return Interrupted() if list(runs.folder.path.glob("logs/*")) else None

    import sys

    source = EVENTS.format(tests=str(Path(__file__).parent), losses=["nan"] * 50, end="time.sleep(600)")
    command = [sys.executable, str(runs.script(source)), str(runs.folder.path)]
    with pytest.raises(Interrupted):
        runs(command, interrupt=interrupt, events=runs.folder.path / "logs")
    assert runs.folder.status()["status"] == "cancelled"
