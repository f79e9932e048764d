"""A run that goes on from a state counts from 0 again; everything that is told counts from the training's beginning."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.links import can_link, symlink

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.checkpoints import checkpoints
from musubi_nodes.runs.record.events import Scalar
from musubi_nodes.runs.record.folder import RESUMED, RunFolder
from musubi_nodes.runs.record.metrics import Metrics
from musubi_nodes.runs.record.progress import ProgressReader
from musubi_nodes.runs.record.samples import samples
from musubi_nodes.runs.record.stated import STATED, Length, Statements, length_of
from musubi_nodes.runs.record.states import FILES, State, go_on, is_whole, states, true_name

HEAD = (
    "running training / 学習開始",
    "  num train items / 学習画像、動画数: 10",
    "  num batches per epoch / 1epochのバッチ数: 10",
    "  gradient accumulation steps / 勾配を合計するステップ数 = 4",
    "  total optimization steps / 学習ステップ数: 12",
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that goes on after step 30, in the 11th epoch of three steps."""
    made = RunFolder.create(tmp_path, "Trainer")
    write_json(made.path / RESUMED, {"state": "x/out/y-state", "step": 30, "epoch": 10})
    write_json(made.path / "command.json", {"command": ["python", "train.py", "--output_name=a"]})
    statements = Statements(made)
    for piece in ("loading", *HEAD, "epoch 1/4"):
        statements.read(piece, "stdout")
    return made


def a_state(path: Path) -> Path:
    path.mkdir()
    save_file({"x": np.zeros(2, np.float32)}, path / FILES[0])
    with zipfile.ZipFile(path / FILES[1], "w") as optimizer:
        optimizer.writestr("state", b"x" * 100)
    for name in FILES[2:]:
        (path / name).write_bytes(b"x")
    return path


def test_progress_tells_the_step_and_epoch_of_the_whole_training() -> None:
    reader = ProgressReader(before=(30, 10))
    reader.read("epoch 2/4")
    now = reader.read("steps:  50%|█████     | 6/12 [00:06<00:06,  1.00it/s, avr_loss=0.1]")
    assert now and (now.current, now.total, now.epoch, now.epochs, now.seconds_left) == (36, 42, 12, 14, 6.0)
    other = reader.read("Sampling timesteps:  50%|█████     | 1/2 [00:01<00:01,  1.00it/s]")
    assert other and (other.current, other.total) == (1, 2)


def test_metrics_tell_the_step_of_the_whole_training(tmp_path: Path) -> None:
    file = io.BytesIO()
    metrics = Metrics(file, before=30)  # type: ignore[arg-type]
    metrics.scalars([Scalar("loss/current", 1, 0.5, 1.0), Scalar("lr/unet", 1, 0.1, 1.0)])
    metrics.flush()
    assert json.loads(file.getvalue())["step"] == 31


def test_checkpoints_and_samples_tell_it_too(folder: RunFolder) -> None:
    save_file({"x": np.zeros(2, np.float32)}, folder.out / "a-000001.safetensors", metadata={"ss_steps": "3"})
    folder.samples.mkdir()
    for name in ("a_e000001_00_20261125000000.png", "a_000002_00_20261125000001.png"):
        (folder.samples / name).write_bytes(b"x")
    assert [each.step for each in checkpoints(folder, [])] == [33]
    assert {each.label for each in samples(folder)} == {"epoch 11", "step 32"}


def earlier_run(folder: RunFolder, went_on: RunFolder, step: int = 30) -> None:
    """Checkpoints and samples of ``folder`` at steps 3 and 33, and ``went_on`` as what went on from it."""
    for own in (3, 33):
        save_file({"x": np.zeros(2)}, folder.out / f"a-{own}.safetensors", metadata={"ss_steps": str(own)})
    folder.samples.mkdir()
    for name in ("e000001", "000003", "e000011", "000033"):
        (folder.samples / f"a_{name}_00_20261125000000.png").write_bytes(b"x")
        os.utime(folder.samples / f"a_{name}_00_20261125000000.png", (5, 5))
    write_json(went_on.path / RESUMED, {"state": f"{folder.path.name}/out/a-state", "step": step, "epoch": step // 3})


def test_what_earlier_runs_saved_until_the_state_belongs_to_the_training(folder: RunFolder, tmp_path: Path) -> None:
    """Also of the one before those; what they did after the state was done anew."""
    first, second = (RunFolder.create(tmp_path, "Trainer") for _ in range(2))
    earlier_run(first, second, step=12)
    earlier_run(second, folder)
    save_file({"x": np.zeros(2)}, folder.out / "a.safetensors", metadata={"ss_steps": "6"})
    found = checkpoints(folder, [{"step": 3, "smooth": 0.1}, {"step": 15, "smooth": 0.3}])
    assert [(each.path.parents[1], each.step, each.loss) for each in found] == [
        (first.path, 3, 0.1), (second.path, 15, 0.3), (folder.path, 36, 0.3),
    ]  # fmt: skip
    labels = [
        sorted(each.label for each in samples(folder) if run.path in each.path.parents) for run in (first, second)
    ]
    assert labels == [["epoch 1", "step 3"], ["epoch 5", "step 15"]]


@pytest.mark.parametrize("name", ["gone", "..", "../other", "/tmp", ".", "link", "own"])
def test_only_a_run_folder_is_an_earlier_run(folder: RunFolder, tmp_path: Path, name: str) -> None:
    outside = RunFolder.create(tmp_path / "elsewhere", "Trainer")
    earlier_run(outside, folder)
    if can_link():
        symlink(folder.path.parent / "link", outside.path)
    named = folder.path.name if name == "own" else name
    write_json(folder.path / RESUMED, {"state": f"{named}/out/a-state", "step": 30, "epoch": 10})
    assert (checkpoints(folder, []), samples(folder)) == ([], [])


def test_states_are_found_by_the_step_of_the_whole_training(folder: RunFolder) -> None:
    names = ("a-state", "a-000002-state", "a-step00000005-state")
    for name in names:
        a_state(folder.out / name)
    assert length_of(folder) == Length(per_epoch=3, total=12)
    assert [(state.path.name, state.step) for state in states(folder)] == [
        ("a-step00000005-state", 35), ("a-000002-state", 36), ("a-state", 42),
    ]  # fmt: skip


def test_a_name_that_ends_in_a_number_is_no_epoch(folder: RunFolder) -> None:
    name = "girl-20251125"
    write_json(folder.path / "command.json", {"command": [f"--output_name={name}", "--seed=1"]})
    for each in (f"{name}-state", f"{name}-000001-state", "girl-20251126-state"):
        a_state(folder.out / each)
    assert [(state.path.name, state.step) for state in states(folder)] == [
        (f"{name}-000001-state", 33), (f"{name}-state", 42),
    ]  # fmt: skip
    assert true_name(folder, folder.out / f"{name}.safetensors") == f"{name}.safetensors"
    assert true_name(folder, folder.out / f"{name}-000001.safetensors") == f"{name}-000011.safetensors"


@pytest.mark.parametrize(("optimizer", "count"), [("schedulefree.AdamWScheduleFree", 1), ("AdamW", 0)])
def test_only_schedule_free_optimizers_have_no_scheduler_to_save(folder: RunFolder, optimizer: str, count: int) -> None:
    command = ["--output_name=a", f"--optimizer_type={optimizer}"]
    write_json(folder.path / "command.json", {"command": command})
    (a_state(folder.out / "a-state") / "scheduler.bin").unlink()
    assert len(states(folder)) == count


@pytest.mark.parametrize("name", FILES)
def test_a_state_with_a_missing_or_empty_file_is_not_whole(tmp_path: Path, name: str) -> None:
    state = a_state(tmp_path / "a-state")
    assert is_whole(state)
    (state / name).write_bytes(b"")
    assert not is_whole(state)
    (state / name).unlink()
    assert not is_whole(state)


def test_a_run_that_never_trained_has_no_states(tmp_path: Path) -> None:
    made = RunFolder.create(tmp_path, "Trainer")
    a_state(made.out / "a-state")
    assert states(made) == []
    for broken in (
        '{"steps_per_epoch": 0, "steps": 1}',
        '{"steps_per_epoch": true, "steps": 1}',
        '{"steps": 3}',
        "[]",
        "x",
    ):
        (made.path / STATED).write_text(broken, "utf-8")
        assert states(made) == []


def test_the_curve_until_the_state_is_taken_over(folder: RunFolder, tmp_path: Path) -> None:
    earlier = RunFolder.create(tmp_path, "Trainer")
    rows = [json.dumps({"step": step}) for step in range(1, 6)]
    earlier.metrics.write_text("\n".join([*rows[:4], "no json", rows[4]]) + '\n{"step": 2', "utf-8")
    go_on(folder, State(earlier.out / "a-state", 3, Length(2, 5)), earlier)
    assert [json.loads(row)["step"] for row in folder.metrics.read_text("utf-8").splitlines()] == [1, 2, 3]
    assert folder.before == (3, 1)
