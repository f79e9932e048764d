from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.terminal.demo import make_dataset, workflow
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.checkpoints import Checkpoint, best
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    return Workplace(tmp_path, plugins())


def trained(place: Workplace) -> Any:
    """The outputs of a trainer, with three checkpoints and samples."""
    path = make_dataset(place.folder / "data")
    dataset, models = (
        place.load(path),
        place.run("WanModels", **workflow(path, "miniature", "wan")["2"]["inputs"]).models,
    )
    sizes = {"sample_width": 64, "sample_height": 64, "sample_steps": 1}
    short = {"max_train_epochs": 3, "save_every_n_epochs": 1, "learning_rate": 0.01}
    return place.run(
        "WanLoRATrainer",
        models=models,
        latent_cache=place.run("WanLatentCache", dataset=dataset, models=models).latent_cache,
        text_cache=place.run("WanTextEncoderCache", dataset=dataset, models=models).text_cache,
        training=place.run("TrainingConfig", **short).training,
        sampling=place.run("SamplingConfig", sample_prompts="a ball", sample_every_n_epochs=1, **sizes).sampling,
        output_name="demo_lora",
    )


def test_a_training_is_shown_with_its_curve_samples_and_checkpoints(place: Workplace) -> None:
    run = trained(place).run
    told = place.run("TrainingMonitor", run=run, width=640, height=320)
    assert told.plot.shape == (320, 640, 3) and told.plot.dtype == np.float32
    assert len(np.unique(told.plot.reshape(-1, 3), axis=0)) > 20
    assert told.grid.shape[0] > 100
    assert told.last.path.parent == told.best.path.parent == run.folder / "out"
    assert told.last.path.name == "demo_lora.safetensors" and told.last.format == "musubi"
    assert f"{run.folder.name}: done\nstep 12 of 12\nepoch 3 of 3\nsmoothed loss: first " in told.text
    assert "demo_lora-000001.safetensors: step 4, smoothed loss " in told.text
    assert "no TensorBoard" in told.text
    assert told.step == 12 and f"last {told.loss:.4g}," in told.text and told.best_step in (4, 8, 12)
    named = place.run("TrainingMonitor", name=run.folder.name, compare=f"{run.folder.name}\n\n")
    assert named.text.count("smoothed loss: first") == 2


def training(place: Workplace, *losses: float | None) -> RunFolder:
    folder = RunFolder.create(place.host.output_folder, "WanLoRATrainer")
    folder.write_status("running")
    rows = [{"step": step, "loss": loss, "lr": 1e-4, "time": step} for step, loss in enumerate(losses, 1)]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_checkpoints_of_the_run_before_count_as_its_curve_does(place: Workplace) -> None:
    before, after = training(place, 0.1, 0.5, 0.9), training(place, 0.1, 0.5, 0.9, 0.9)
    for folder in (before, after):
        save_file(
            {"lora_unet_x.lora_down.weight": np.zeros(2)},
            folder.out / "a-000001.safetensors",
            metadata={"ss_steps": "1"},
        )
    state = {"state": f"{before.path.name}/out/a-state", "step": 3, "epoch": 3}
    (after.path / "resumed.json").write_text(json.dumps(state))
    told = place.run("TrainingMonitor", name=after.path.name, smoothing=0)
    assert (told.best_step, told.best.path.parents[1], told.last.path.parents[1]) == (1, before.path, after.path)
    assert (
        f"{before.path.name}/out/a-000001.safetensors: step 1, smoothed loss 0.1\na-000001.safetensors: step 4"
        in told.text
    )


def test_the_newest_training_is_shown_while_it_runs_and_before_it_saves(place: Workplace) -> None:
    folder = training(place, 3.0, None, 1.0)
    told = place.run("TrainingMonitor", name="newest")
    assert told.last is None and told.best is None
    assert folder.path.name in told.text and "learning rate 0.0001" in told.text and "TensorBoard" not in told.text
    with fails("checkpoint-missing", folder.path.name):
        node = place.node("TrainingMonitor")
        node().run(node.parse({}), Context(place.host, place.services, "n", frozenset({"best"})))


def test_where_nothing_was_trained_it_says_so(place: Workplace) -> None:
    with fails("training-missing"):
        place.run("TrainingMonitor")


@pytest.mark.parametrize("name", ["../../etc", "gone", "a\0b", ".", "/tmp"])
def test_a_name_that_is_no_run_is_told_before_the_queue_runs(place: Workplace, name: str) -> None:
    training(place, 1.0)
    node = place.node("TrainingMonitor")
    with fails("run-missing"):
        node().validate(node.known({"name": name}), set(), Context(place.host, place.services))
    with fails("run-missing"):
        place.run("TrainingMonitor", compare=name)


def test_too_many_runs_are_refused(place: Workplace) -> None:
    names = "\n".join(training(place, 1.0).path.name for _ in range(6))
    with fails("runs-too-many", 6):
        place.run("TrainingMonitor", compare=names)


@pytest.mark.parametrize(
    ("losses", "wanted"), [((0.3, 0.1, 0.2), 1), ((0.1, 0.1), 1), ((None, None), 1), ((None, 0.5), 1), ((0.2, None), 0)]
)
def test_the_best_checkpoint_has_the_lowest_known_loss(losses: tuple[float | None, ...], wanted: int) -> None:
    saved = [Checkpoint(Path(f"{n}"), n, loss) for n, loss in enumerate(losses)]
    assert best(saved) == saved[wanted]
    assert best([]) is None
