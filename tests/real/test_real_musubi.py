"""The real, unedited scripts of musubi-tuner with toy weights: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.real import toys
from tools.option_tables import ask, read_tables

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.record.events import EventFolder
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.series import whole
from musubi_nodes.runs.record.stated import lacked_gpu_memory, length_of, outputs_of
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

MODELS = toys.MODELS["Wan"]
BOTH = {"task": "t2v-A14B", "dit": "wan22_low.safetensors", "dit_high_noise": "wan22_high.safetensors"}
SCALARS = """
import json, pathlib, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = []
for folder in {file.parent for file in pathlib.Path(sys.argv[1]).rglob("events.out.tfevents.*")}:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    for tag in events.Tags()["scalars"]:
        found += [[tag, each.step, each.value, each.wall_time] for each in events.Scalars(tag)]
print(json.dumps(found))
"""
I2V = {"task": "i2v-A14B", "dit": "wan22_i2v_low.safetensors", "dit_high_noise": "wan22_i2v_high.safetensors"}


def caches(place: Workplace, models: Any) -> dict[str, Any]:
    dataset = place.load(place.dataset())
    return {
        "models": models,
        "latent_cache": place.run("WanLatentCache", dataset=dataset, models=models).latent_cache,
        "text_cache": place.run("WanTextEncoderCache", dataset=dataset, models=models).text_cache,
    }


def training(place: Workplace, **values: Any) -> Any:
    given = {"max_train_epochs": 2, "learning_rate": 0.001, **values}
    return place.run("TrainingConfig", **given).training


def scalars_by_tensorboard(place: Workplace, logs: Path) -> list[list[Any]]:
    """What TensorBoard's own reader, in the environment of musubi-tuner, tells of a folder of event files."""
    program = [str(place.services.install().python), "-c", SCALARS, str(logs)]
    return sorted(json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout))


def generate(place: Workplace, **values: Any) -> Any:
    small = {"prompt": "a square", "width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
    return place.run("WanGenerator", **{**small, **values})


def shape(path: Path) -> tuple[dict[str, Any], set[str]]:
    header = read_header(path)
    return {name: (t.dtype, t.shape) for name, t in header.tensors.items()}, set(header.metadata)


def test_wan_2_1_from_pictures_to_a_lora_and_a_video(place: Workplace) -> None:
    models = place.run("WanModels", **MODELS).models
    trained = place.run("WanLoRATrainer", **caches(place, models), training=training(place))
    tensors, metadata = shape(trained.lora.path)
    assert any(name.startswith("lora_unet_blocks_0_self_attn_q.") for name in tensors) and len(metadata) > 40
    rows = (trained.run.folder / "metrics.jsonl").read_text("utf-8").splitlines()
    assert json.loads(rows[-1])["step"] == 8
    logs = trained.run.folder / "logs"
    ours = sorted([each.tag, each.step, each.value, each.time] for each in EventFolder(logs).read())
    assert len(ours) > 20 and ours == scalars_by_tensorboard(place, logs)
    made = generate(place, models=models, lora=trained.lora)
    assert probe(made.video.path).frames == 5


def test_the_lora_is_what_the_bare_command_makes(place: Workplace) -> None:
    models = place.run("WanModels", **MODELS).models
    trained = place.run("WanLoRATrainer", **caches(place, models), training=training(place))
    command = json.loads((trained.run.folder / "command.json").read_text("utf-8"))
    again = place.folder / "again"
    words = [f"--output_dir={again}" if w.startswith("--output_dir=") else w for w in command["command"]]
    subprocess.run(words, cwd=command["cwd"], env=command["environment"], check=True, capture_output=True)
    assert shape(again / "my_lora.safetensors") == shape(trained.lora.path)


@pytest.mark.parametrize("noise", ["both", "high", "low"])
def test_wan_2_2_trains_both_models_or_one(place: Workplace, noise: str) -> None:
    models = place.run("WanModels", **{**MODELS, **BOTH, "noise": noise}).models
    trained = place.run("WanLoRATrainer", **caches(place, models), training=training(place, max_train_epochs=1))
    assert trained.lora.noise == noise


def test_image_to_video_with_samples_on_the_way(place: Workplace) -> None:
    models = place.run("WanModels", **{**MODELS, **I2V}).models
    ready = caches(place, models)
    picture = ImageFiles((place.folder / "pictures" / "p0.png",))
    sampling = place.run(
        "SamplingConfig", sample_every_n_epochs=1, sample_prompts="I see a square", sample_width=96, sample_height=64,
        sample_frames=5, sample_steps=2,
    ).sampling  # fmt: skip
    short = training(place, max_train_epochs=1)
    trained = place.run("WanLoRATrainer", **ready, training=short, sampling=sampling, sample_image=picture)
    assert list((trained.run.folder / "out" / "sample").glob("*.mp4"))
    assert generate(place, models=models, image=picture, lora=trained.lora).video


@pytest.mark.parametrize(
    "scheduler",
    [
        {},
        {"lr_scheduler": "linear"},
        {"lr_scheduler": "cosine", "lr_warmup_steps": 0.2},
        {"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": 2},
        {"lr_scheduler": "polynomial", "lr_scheduler_power": 2.0},
        {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.2},
        {"lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": 2, "lr_decay_steps": 0.3},
        {"lr_scheduler": "rex"},
    ],
    ids=lambda scheduler: scheduler.get("lr_scheduler", "constant"),
)
def test_a_training_that_goes_on_takes_the_steps_and_learning_rates_of_a_whole_one(
    place: Workplace, scheduler: dict[str, Any]
) -> None:
    ready = caches(place, place.run("WanModels", **MODELS).models)
    optimizer = place.run("OptimizerConfig", optimizer_type="AdamW", **scheduler).optimizer
    settings = training(place, max_train_epochs=4, save_state=True)
    first = place.run("WanLoRATrainer", **ready, training=settings, optimizer=optimizer).run.folder
    state = (first / "out" / "my_lora-000002-state").relative_to(place.host.output_folder).as_posix()
    settings = settings.model_copy(update={"resume": state})
    second = place.run("WanLoRATrainer", **ready, training=settings, optimizer=optimizer).run.folder
    assert "resume training from local state" in (second / "log.txt").read_text("utf-8")
    assert read_header(second / "out" / "my_lora.safetensors").metadata["ss_steps"] == "8"
    whole_one, gone_on = (whole(run / "metrics.jsonl").points() for run in (first, second))
    assert [point["step"] for point in gone_on] == [point["step"] for point in whole_one] == list(range(1, 17))
    assert [point["lr"] for point in gone_on] == pytest.approx([point["lr"] for point in whole_one])


def test_a_nan_loss_is_an_error_although_the_script_ends_well(place: Workplace) -> None:
    models = place.run("WanModels", **MODELS).models
    optimizer = place.run("OptimizerConfig", optimizer_type="AdamW", optimizer_args="weight_decay=1000.0").optimizer
    wild = training(place, learning_rate=100.0, max_train_epochs=10)
    with pytest.raises(MusubiError, match=r"no number \(NaN\) since step"):
        place.run("WanLoRATrainer", **caches(place, models), training=wild, optimizer=optimizer)


def test_what_the_real_script_says_when_it_fails_is_explained(place: Workplace) -> None:
    models = place.run("WanModels", **MODELS).models
    ready = caches(place, models)
    broken = models.model_copy(update={"dit": models.vae})
    with pytest.raises(MusubiError) as caught:
        place.run("WanLoRATrainer", **{**ready, "models": broken}, training=training(place))
    assert "CalledProcessError" not in caught.value.what and caught.value.fix and caught.value.log


def test_every_option_of_the_install_is_found_by_its_help(place: Workplace) -> None:
    from musubi_nodes.commands.parser_options import ask_help
    from musubi_nodes.commands.tables import nearest_release, table

    install = place.services.install()
    for script in ("wan_cache_latents.py", "wan_generate_video.py", "wan_train_network.py"):
        found = ask_help(install, install.script(script))
        known = table(script, nearest_release(install.version)) or {}
        assert found.keys() >= known.keys()
        assert {n for n, s in found.items() if s.flag} >= {n for n, s in known.items() if s.flag}


@pytest.mark.parametrize("script", ["convert_lora.py", "wan_generate_video.py"])
def test_the_parsers_show_the_options_that_are_stored(place: Workplace, script: str) -> None:
    from musubi_nodes.commands.tables import RELEASES

    install = place.services.install()
    if install.version not in RELEASES:
        pytest.skip("there is no stored table of this release")
    assert ask(install.root, str(install.python), script) == read_tables(install.version)[script]


SPOKEN = (
    "saving checkpoint: /elsewhere/decoy.safetensors",
    "running training / 学習開始",
    "  num batches per epoch / 1epochのバッチ数: 1",
    "  total optimization steps / 学習ステップ数: 1",
    "steps: 100%|██████████| 99/99 [00:24<00:00,  2.05s/it, avr_loss=nan]",
    "torch.OutOfMemoryError: CUDA out of memory.",
)


def test_the_real_scripts_state_their_work_and_their_prompts_do_not(place: Workplace) -> None:
    models = place.run("WanModels", **MODELS).models
    text = "".join(f"a square{end}{line}" for line in SPOKEN for end in ("\n", "\r", "\u2028"))
    prompts = place.run("Prompt", prompt=text, negative_prompt=text, width=96, height=64, frames=5, steps=2).prompts
    sampling = place.run("SamplingConfig", prompts=prompts, sample_every_n_epochs=1).sampling
    trained = place.run("WanLoRATrainer", **caches(place, models), training=training(place), sampling=sampling)
    run = RunFolder(trained.run.folder)
    assert length_of(run) == (4, 8) and not lacked_gpu_memory(run)
    points = whole(run.metrics).points()
    assert [point["step"] for point in points] == list(range(1, 9)) and all(point["average"] for point in points)
    log = run.log.read_text("utf-8")
    said = [line for line in log.replace("\r", "\n").split("\n") if line.startswith("saving checkpoint: ")]
    assert said == [
        f"saving checkpoint: {run.out / name}" for name in ("my_lora-000001.safetensors", "my_lora.safetensors")
    ]
    made = RunFolder(generate(place, models=models, prompt=text, negative_prompt=text).run.folder)
    assert [Path(name).suffix for name in outputs_of(made)] == [".mp4"] and not lacked_gpu_memory(made)
