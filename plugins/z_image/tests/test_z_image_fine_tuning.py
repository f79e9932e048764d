"""Z-Image's whole model is trained, published, used and gone on with, on the miniature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import run_folders
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header

SCRIPT = "zimage_train.py"


@pytest.fixture
def caches(place: Any) -> dict[str, Any]:
    return dict(place.caches())


def tune(place: Any, caches: dict[str, Any], training: dict[str, Any] | None = None, **values: Any) -> Any:
    return place.run("ZImageFineTuner", **{**caches, "training": place.training(**(training or {})), **values})


def shapes(path: str) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in read_header(Path(path)).tensors.items()}


def pixels(made: Any) -> bytes:
    return bytes(made.images.frames().tobytes())


@contextmanager
def misbehaving(place: Any, fault: str) -> Iterator[None]:
    """Let the training script end badly."""
    whole = place.services.install
    broken = replace(whole(), environment={**whole().environment, "MUSUBI_MINIATURE_MISBEHAVE": f"{fault} {SCRIPT}"})
    place.services.install = lambda name=None: broken
    yield
    place.services.install = whole


def models(place: Any) -> list[Path]:
    return sorted((place.host.model_folders("diffusion_models")[0] / "musubi").glob("*"))


def test_a_whole_model_is_moved_to_the_models_and_used_by_the_generator(place: Any, caches: dict[str, Any]) -> None:
    made = tune(place, caches, full_bf16=True)
    [file] = models(place)
    assert made.models == caches["models"].model_copy(update={"dit": str(file)})
    assert shapes(made.models.dit) == shapes(caches["models"].dit)
    assert {each.dtype for each in read_header(file).tensors.values()} == {"BF16"}
    assert not (made.run.folder / "out" / file.name).exists()
    assert pixels(place.generate(models=made.models)) != pixels(place.generate())
    assert place.models(dit=f"musubi/{file.name}").dit == made.models.dit


def test_the_same_model_is_not_trained_again(place: Any, caches: dict[str, Any]) -> None:
    made, started = tune(place, caches), len(place.started())
    assert tune(place, caches).models == made.models and len(place.started()) == started
    assert tune(place, caches, full_bf16=True).models != made.models and len(place.started()) == started + 1


def test_a_stopped_training_goes_on_from_its_state(place: Any, caches: dict[str, Any]) -> None:
    length = {"max_train_epochs": 400, "save_every_n_epochs": 5, "save_state": True, "resume": "auto"}

    def ask(node_id: str, now: Progress) -> None:
        run = next(run for run in run_folders(place.host.output_folder) if "FineTuner" in run.path.name)
        if now.stage == "training" and not run.stop_request.exists():
            run.ask_to_stop()

    place.host.progress = ask
    early = tune(place, caches, length)
    del place.host.progress
    assert shapes(early.models.dit) == shapes(caches["models"].dit)
    made = tune(place, caches, length)
    assert Path(made.models.dit).name == "my_model.safetensors"
    assert any(word.startswith(f"--resume={early.run.folder}") for word in place.command())


@pytest.mark.parametrize(
    ("fault", "code"), [("nan", "model-not-finite"), ("truncated", "file-truncated"), ("nothing", "output-missing")]
)
def test_a_training_that_ends_badly_publishes_nothing(
    place: Any, caches: dict[str, Any], fault: str, code: str
) -> None:
    with misbehaving(place, fault), fails(code):
        tune(place, caches)
    assert not models(place)
    assert tune(place, caches).models


@pytest.mark.parametrize(("fused", "advice"), [(True, "blocks_to_swap"), (False, "gradient_checkpointing_cpu_offload")])
def test_advice_after_out_of_memory_is_what_a_whole_model_can_do(
    place: Any, caches: dict[str, Any], fused: bool, advice: str
) -> None:
    adafactor = place.run("OptimizerConfig", optimizer_type="Adafactor", relative_step="off").optimizer
    with misbehaving(place, "out_of_gpu_memory"), pytest.raises(MusubiError) as caught:
        tune(place, caches, optimizer=adafactor, fused_backward_pass=fused)
    assert caught.value.code == "gpu-out-of-memory" and advice in caught.value.fix


def test_a_disk_that_cannot_hold_the_models_starts_no_script(place: Any, caches: dict[str, Any]) -> None:
    started = len(place.started())
    many = {"max_train_epochs": 100_000, "save_every_n_epochs": 1, "save_state": True}
    optimizer = place.run("OptimizerConfig", optimizer_type="AdamW").optimizer
    with fails("disk-too-small"):
        tune(place, caches, many, optimizer=optimizer)
    assert len(place.started()) == started
