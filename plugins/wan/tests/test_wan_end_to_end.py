"""From a folder of pictures to a LoRA and a video, through the nodes, on the miniature."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from musubi_nodes.media.probe import probe
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.series import whole
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header

I2V = {
    "task": "i2v-14B",
    "dit": "miniature/wan_i2v_14b.safetensors",
    "clip": "miniature/clip_vision_h.safetensors",
}
BOTH = {
    "task": "t2v-A14B",
    "dit": "miniature/wan22_t2v_low.safetensors",
    "dit_high_noise": "miniature/wan22_t2v_high.safetensors",
}


def argument(place: Any, node: str) -> dict[str, str]:
    """The options of the newest run of ``node``."""
    folder = [run for run in place.started() if f"-{node}-" in run.name][-1]
    words = json.loads((folder / "command.json").read_text("utf-8"))["command"]
    return dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("--"))


def test_pictures_become_a_lora_and_a_video(place: Any) -> None:
    trained = place.train()
    header = read_header(trained.lora.path)
    assert trained.lora.path.parent.name == "musubi"
    assert any(name.startswith("lora_unet_blocks_0_self_attn_q.") for name in header.tensors)
    assert header.metadata["ss_network_module"] == "networks.lora_wan"
    made = place.generate(lora=trained.lora)
    facts = probe(made.video.path)
    assert (facts.width, facts.height, facts.frames) == (96, 64, 5)
    assert made.video.path.parent == place.host.output_folder / "musubi"
    assert json.loads((trained.run.folder / "status.json").read_text("utf-8"))["status"] == "done"
    assert (trained.run.folder / "metrics.jsonl").read_text("utf-8").count("\n") >= 8


def test_event_files_tell_loss_and_learning_rate_where_the_trainer_writes_them(place: Any) -> None:
    trained = place.train(training=place.training(log_with="tensorboard"))
    points = whole(RunFolder(trained.run.folder).metrics).points()
    assert [point["step"] for point in points] == list(range(1, 9))
    assert all(point["lr"] == pytest.approx(0.01) and point["loss"] > 0 and point["average"] for point in points)


def test_a_training_that_is_stopped_after_a_save_hands_on_that_checkpoint(place: Any) -> None:
    asked: list[RunFolder] = []

    def ask(node_id: str, now: Progress) -> None:
        if now.stage == "training" and now.current > 3 and not asked:
            asked.append(
                next(folder for folder in run_folders(place.host.output_folder) if "Trainer" in folder.path.name)
            )
            asked[0].ask_to_stop()

    place.host.progress = ask
    long = place.training(max_train_epochs=5000, save_every_n_epochs=0, save_every_n_steps=200)
    trained = place.train(training=long)
    assert not trained.lora.complete
    assert re.fullmatch(r"my_lora-step\d{8}\.safetensors", trained.lora.path.name)
    assert trained.lora.path.name in place.texts[0]
    assert asked[0].status()["status"] == "stopped"
    assert place.generate(lora=trained.lora).video


def test_a_video_that_was_made_before_is_handed_on(place: Any) -> None:
    first = place.generate().video
    count = len(place.started())
    assert place.generate().video.path == first.path and len(place.started()) == count
    assert place.generate(seed=2).video.path != first.path
    first.path.unlink()
    assert place.generate().video.path.is_file() and len(place.started()) == count + 2


def test_a_replaced_picture_of_the_same_name_makes_another_video(place: Any) -> None:
    from musubi_nodes.media.frames import ImageFiles

    place.dataset()
    path = place.folder / "pictures" / "p0.png"
    models = place.models(**I2V)
    first = place.generate(models=models, image=ImageFiles((path,))).video
    path.write_bytes((place.folder / "pictures" / "p3.png").read_bytes())
    second = place.generate(models=models, image=ImageFiles((path,))).video
    assert first.path.read_bytes() != second.path.read_bytes()


def test_a_lora_changes_the_video(place: Any) -> None:
    trained = place.train(training=place.training(max_train_epochs=10, learning_rate=0.05))
    plain, changed = place.generate(), place.generate(lora=trained.lora)
    assert plain.video.path.read_bytes() != changed.video.path.read_bytes()


def test_image_to_video_caches_train_and_generate(place: Any) -> None:
    models = place.models(**I2V)
    caches = place.caches(models=models)
    assert "i2v" in argument(place, "WanLatentCache")
    place.train(caches)
    from musubi_nodes.media.frames import ImageFiles

    picture = ImageFiles((place.folder / "pictures" / "p0.png",))
    assert place.generate(models=models, image=picture).video


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("both", {"timestep_boundary": "875"}),
        ("high", {"min_timestep": "875", "max_timestep": "1000", "preserve_distribution_shape": ""}),
        ("low", {"min_timestep": "0", "max_timestep": "875", "preserve_distribution_shape": ""}),
    ],
)
def test_one_choice_of_noise_sets_models_boundary_and_range(place: Any, noise: str, expected: dict[str, str]) -> None:
    models = place.models(**BOTH, noise=noise)
    trained = place.train(place.caches(models=models))
    sent = argument(place, "WanLoRATrainer")
    assert expected.items() <= sent.items()
    assert ("dit_high_noise" in sent) == (noise == "both")
    assert ("high" in sent["dit"]) == (noise == "high")
    assert trained.lora.noise == noise


def test_both_models_of_wan_2_2_take_their_own_loras(place: Any) -> None:
    lora = place.train().lora
    low = lora.model_copy(update={"noise": "low", "multiplier": 0.5})
    high = lora.model_copy(update={"noise": "high", "previous": low})
    assert place.generate(models=place.models(**BOTH), lora=high).video
    words = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    assert words[words.index("--lora_multiplier") + 1] == "0.5"
    assert words[words.index("--lora_multiplier_high_noise") + 1] == "1.0"


@pytest.mark.parametrize("output_type", ["video", "images", "latent", "both", "latent_images"])
def test_every_output_type_hands_on_what_it_promises(place: Any, output_type: str) -> None:
    made = place.generate(output_type=output_type)
    assert bool(made.video) == (output_type in ("video", "both"))
    assert bool(made.latent) == ("latent" in output_type or output_type == "both")
    if output_type == "images":
        assert made.images.frames().shape == (5, 64, 96, 3)
    if output_type == "latent":
        decoded = place.generate(latent=made.latent, output_type="video")
        assert decoded.video


def test_samples_on_the_way_are_made(place: Any) -> None:
    sampling = place.settings(
        "SamplingConfig", sample_every_n_epochs=1, sample_prompts="I see a square\nn one", sample_width=96,
        sample_height=64, sample_steps=2,
    )  # fmt: skip
    trained = place.train(sampling=sampling)
    samples = list((trained.run.folder / "out" / "sample").glob("*"))
    assert len(samples) == 4


def test_a_second_lora_of_the_same_name_does_not_overwrite_the_first(place: Any) -> None:
    caches = place.prepared()
    first, second = place.train(caches), place.train(caches, train_again=True)
    assert (first.lora.path.name, second.lora.path.name) == ("my_lora.safetensors", "my_lora-2.safetensors")
    assert "my_lora.safetensors" in place.texts[0]


def test_training_goes_on_from_a_lora_and_on_merged_ones(place: Any) -> None:
    caches = place.prepared()
    lora = place.train(caches).lora
    assert place.train(caches, network_weights=lora).lora
    assert place.train(caches, base_weights=lora).lora
    log = (place.started()[-1] / "log.txt").read_text("utf-8")
    assert "base_weights" in str(argument(place, "WanLoRATrainer")) and log


def test_what_is_gone_from_the_dataset_is_gone_from_the_cache(place: Any) -> None:
    path = place.dataset()
    place.caches(path)
    for name in ("p1.png", "p1.txt"):
        (place.folder / "pictures" / name).unlink()
    place.train(place.caches(path))
    assert not [f for f in place.folder.glob("output/musubi/cache/**/*.safetensors") if f.name.startswith("p1")]
    assert "num train items / 学習画像、動画数: 3" in (place.started()[-1] / "log.txt").read_text("utf-8")


def test_stale_caches_in_a_folder_of_the_users_own_are_named_and_kept(place: Any) -> None:
    path = place.dataset()
    path.write_text(path.read_text("utf-8") + "cache_directory = 'own'\n", "utf-8")
    place.caches(path)
    for name in ("p1.png", "p1.txt"):
        (place.folder / "pictures" / name).unlink()
    with fails("cache-orphaned", "p1"):
        place.caches(path)
    assert [f for f in (place.folder / "own").iterdir() if f.name.startswith("p1")]


def test_the_users_toml_is_never_passed_on(place: Any) -> None:
    path = place.dataset()
    before = path.read_bytes()
    place.caches(path)
    sent = argument(place, "WanLatentCache")
    assert sent["dataset_config"] != str(path) and path.read_bytes() == before
    assert "keep_cache" in sent


def test_all_counts_are_given_to_accelerate(place: Any) -> None:
    place.train(num_machines=1, main_process_port=29501)
    sent = argument(place, "WanLoRATrainer")
    assert sent["num_processes"] == sent["num_machines"] == "1" and sent["machine_rank"] == "0"
    assert sent["main_process_port"] == "29501"
    assert "The following values were not passed" not in (place.started()[-1] / "log.txt").read_text("utf-8")
