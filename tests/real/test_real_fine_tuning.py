"""Whole models on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.real.toys import MODELS

from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.families.settings import Training
from musubi_nodes.runs.process.environment import child_environment
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

PICTURE = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}


def facts(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in read_header(path).tensors.items()}


def prepared(place: Workplace, family: str) -> dict[str, Any]:
    """Models and caches for the family's trainers."""
    models, dataset = place.run(f"{family}Models", **MODELS[family]).models, place.load(place.dataset())
    return {
        "models": models,
        "latent_cache": place.run(f"{family}LatentCache", dataset=dataset, models=models).latent_cache,
        "text_cache": place.run(f"{family}TextEncoderCache", dataset=dataset, models=models).text_cache,
    }


def training(**values: Any) -> Training:
    return Training(**{"max_train_epochs": 2, "learning_rate": 1e-4, "seed": 1, **values})


def pixels(place: Workplace, family: str, models: Any) -> list[bytes]:
    return [each.tobytes() for each in place.run(f"{family}Generator", models=models, **PICTURE).images.frames()]


@pytest.mark.parametrize("family", ["ZImage", "QwenImage"])
def test_a_whole_model_is_trained_and_goes_straight_on_into_the_generator(place: Workplace, family: str) -> None:
    ready = prepared(place, family)
    sampling = place.run(
        "SamplingConfig", sample_every_n_epochs=1, sample_prompts="a square", sample_width=96, sample_height=64,
        sample_steps=2,
    ).sampling  # fmt: skip
    made = place.run(f"{family}FineTuner", **ready, training=training(), sampling=sampling)
    file, dit = Path(made.models.dit), Path(ready["models"].dit)
    assert file.parent.name == "musubi" and facts(file) == facts(dit)
    assert not (made.run.folder / "out" / file.name).exists()
    assert len(list((made.run.folder / "out" / "sample").iterdir())) == 2
    assert pixels(place, family, made.models) != pixels(place, family, ready["models"])
    chosen = place.run(f"{family}Models", **{**MODELS[family], "dit": f"musubi/{file.name}"}).models
    assert chosen.dit == made.models.dit
    started = len(place.started())
    assert place.run(f"{family}FineTuner", **ready, training=training(), sampling=sampling).models == made.models
    assert len(place.started()) == started


@pytest.mark.parametrize(
    "values",
    [{}, {"full_bf16": True, "fused_backward_pass": True, "mem_eff_save": True}],
    ids=["float32", "bfloat16"],
)
def test_a_stopped_training_goes_on_from_its_state_to_its_end(
    place: Workplace, values: dict[str, Any], until: Callable[..., bool]
) -> None:
    ready = prepared(place, "ZImage")
    adafactor = {"relative_step": "off", "scale_parameter": "off", "max_grad_norm": 0.0}
    ready["optimizer"] = place.run("OptimizerConfig", optimizer_type="Adafactor", **adafactor).optimizer
    ready["training"] = training(max_train_epochs=4, save_state=True, resume="auto")
    output = place.host.output_folder

    def stop() -> None:
        if until(lambda: list(output.glob("musubi/runs/*FineTuner*/out"))):
            RunFolder(next(output.glob("musubi/runs/*FineTuner*"))).stop_request.touch()

    asking = Thread(target=stop)
    asking.start()
    early = place.run("ZImageFineTuner", **ready, **values)
    asking.join()
    assert facts(Path(early.models.dit)) == facts(Path(ready["models"].dit))
    made = place.run("ZImageFineTuner", **ready, **values)
    assert made.run.folder != early.run.folder
    assert "resume training from local state" in (made.run.folder / "log.txt").read_text("utf-8")
    header = read_header(Path(made.models.dit))
    assert {name: each.shape for name, each in header.tensors.items()} == facts(Path(ready["models"].dit))
    assert {each.dtype for each in header.tensors.values()} == ({"BF16"} if values else {"F32"})
    before = RunFolder(made.run.folder).before.steps
    assert before and int(header.metadata["ss_steps"]) == 4 * 4 - before


def test_hunyuan_videos_script_for_whole_models_fails_before_its_first_step(place: Workplace) -> None:
    """If this fails, musubi-tuner has mended hv_train.py: HunyuanVideo can have a fine-tuner."""
    ready, install = prepared(place, "HunyuanVideo"), place.services.install()
    toml = dump(ready["latent_cache"].dataset.config, place.folder / "dataset.toml")
    words = [f"--dataset_config={toml}", f"--dit={ready['models'].dit}", f"--output_dir={place.folder}", "--sdpa"]
    done = subprocess.run(
        [str(install.python), str(install.script("hv_train.py")), *words, "--output_name=x", "--max_train_steps=1"],
        env=child_environment(install),
        cwd=install.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode and "TypeError: collator_class.__init__() takes 3 positional arguments" in done.stderr
