"""Whole models on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image
from tests.real.pictures import CONTROLS, SMALL, controls, pixels, sampled, samples, shown
from tests.real.toys import MODELS

from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.families.settings import Training
from musubi_nodes.runs.process.environment import child_environment
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.workplace import TOML, Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi


def facts(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in read_header(path).tensors.items()}


def prepared(place: Workplace, family: str, toml: Path | None = None, **files: str) -> dict[str, Any]:
    """Models and caches for the family's trainers."""
    models = place.run(f"{family}Models", **{**MODELS[family], **files}).models
    dataset = place.load(toml or place.dataset())
    return {
        "models": models,
        "latent_cache": place.run(f"{family}LatentCache", dataset=dataset, models=models).latent_cache,
        "text_cache": place.run(f"{family}TextEncoderCache", dataset=dataset, models=models).text_cache,
    }


def training(**values: Any) -> Training:
    return Training(**{"max_train_epochs": 2, "learning_rate": 1e-4, "seed": 1, **values})


def painted(place: Workplace, family: str, models: Any) -> list[bytes]:
    return pixels(place.run(f"{family}Generator", models=models, **SMALL).images)


@pytest.mark.parametrize("family", ["ZImage", "QwenImage"])
def test_a_whole_model_is_trained_and_goes_straight_on_into_the_generator(place: Workplace, family: str) -> None:
    ready = prepared(place, family)
    sampling = samples(place)
    made = place.run(f"{family}FineTuner", **ready, training=training(), sampling=sampling)
    file, dit = Path(made.models.dit), Path(ready["models"].dit)
    assert file.parent.name == "musubi" and facts(file) == facts(dit)
    assert not (made.run.folder / "out" / file.name).exists()
    assert len(sampled(made)) == 2
    assert painted(place, family, made.models) != painted(place, family, ready["models"])
    chosen = place.run(f"{family}Models", **{**MODELS[family], "dit": f"musubi/{file.name}"}).models
    assert chosen.dit == made.models.dit
    started = len(place.started())
    assert place.run(f"{family}FineTuner", **ready, training=training(), sampling=sampling).models == made.models
    assert len(place.started()) == started


@pytest.mark.parametrize("version", ["edit-2511", "layered"])
def test_a_version_with_control_pictures_or_layers_is_trained(place: Workplace, version: str) -> None:
    pictures, more = place.folder / "pictures", CONTROLS if version == "edit-2511" else "multiple_target = true\n"
    toml = place.dataset(count=2, toml=TOML + more)
    controls(place, 2, each=2)
    for name in ("p0_1", "p0_2", "p1_1", "p1_2") if version == "layered" else ():
        Image.new("RGBA", (96, 64), (80, 40, 9, 128)).save(pictures / f"{name}.png")
    own = {"dit": "qwen_image_layered_dit.safetensors", "vae": "qwen_image_layered_vae.safetensors"}
    ready = prepared(place, "QwenImage", toml, model_version=version, **(own if version == "layered" else {}))
    sampling = samples(place, sample_frames=2 if version == "layered" else 1)
    made = place.run(
        "QwenImageFineTuner", **ready, training=training(), sampling=sampling,
        sample_control_image=shown(pictures / "p0.png"),
    )  # fmt: skip
    assert facts(Path(made.models.dit)) == facts(Path(ready["models"].dit)) and sampled(made)


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
