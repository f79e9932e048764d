"""Training: a loss that falls, and upstream's files, metadata, lines and samples."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musubi_nodes.runs.record.events import EventFolder
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.events import masked_crc32c
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import load, metadata_of

Run = Callable[..., object]


def rates(logs: Path, prefix: str) -> list[float]:
    """The learning rate of each step, from the run's event files."""
    (folder,) = (path for path in logs.iterdir() if path.name.startswith(prefix))
    return [found.value for found in EventFolder(folder).read() if found.tag == "lr/unet"]


METADATA = {
    "modelspec.architecture",
    "modelspec.date",
    "modelspec.implementation",
    "modelspec.resolution",
    "modelspec.sai_model_spec",
    "modelspec.title",
    "ss_base_model_version",
    "ss_datasets",
    "ss_discrete_flow_shift",
    "ss_epoch",
    "ss_fp8_base",
    "ss_full_bf16",
    "ss_full_fp16",
    "ss_gradient_accumulation_steps",
    "ss_gradient_checkpointing",
    "ss_gradient_checkpointing_cpu_offload",
    "ss_guidance_scale",
    "ss_learning_rate",
    "ss_logit_mean",
    "ss_logit_std",
    "ss_lr_scheduler",
    "ss_lr_warmup_steps",
    "ss_max_grad_norm",
    "ss_max_train_steps",
    "ss_mixed_precision",
    "ss_mode_scale",
    "ss_network_alpha",
    "ss_network_dim",
    "ss_network_dropout",
    "ss_network_module",
    "ss_num_batches_per_epoch",
    "ss_num_epochs",
    "ss_num_train_items",
    "ss_optimizer",
    "ss_output_name",
    "ss_sd_model_name",
    "ss_seed",
    "ss_session_id",
    "ss_sigmoid_scale",
    "ss_steps",
    "ss_timestep_sampling",
    "ss_training_comment",
    "ss_training_finished_at",
    "ss_training_started_at",
    "ss_weighting_scheme",
    "sshs_legacy_hash",
    "sshs_model_hash",
}
"""What a real run of v0.3.4 with these options writes."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def averages(stderr: str) -> list[float]:
    return [float(value) for value in re.findall(r"avr_loss=([0-9.e+-]+|nan)", stderr)]


def test_loss_falls_and_the_same_seed_repeats(train: Run, tmp_path: Path) -> None:
    first = train("--max_train_steps", 80)
    assert first.returncode == 0, first.stderr
    losses = averages(first.stderr)
    assert losses[-1] < 0.75 * losses[3]
    before = load(tmp_path / "out" / "toy.safetensors")
    train("--max_train_steps", 80)
    after = load(tmp_path / "out" / "toy.safetensors")
    assert all(np.array_equal(before[key].values, after[key].values) for key in before)


def test_lora_file(train: Run, tmp_path: Path) -> None:
    train("--network_alpha", 2)
    path = tmp_path / "out" / "toy.safetensors"
    parts = ("alpha", "lora_down.weight", "lora_up.weight")
    modules = [f"{attention}_attn_{part}" for attention in ("self", "cross") for part in "qkvo"] + ["ffn_0", "ffn_2"]
    expected = {f"lora_unet_blocks_{i}_{module}.{part}" for i in (0, 1) for module in modules for part in parts}
    tensors = load(path)
    assert set(tensors) == expected
    assert {tensor.dtype for tensor in tensors.values()} == {"F32"}
    assert tensors["lora_unet_blocks_0_ffn_0.lora_down.weight"].shape[0] == 4
    assert float(tensors["lora_unet_blocks_0_ffn_0.alpha"].values) == 2.0
    metadata = metadata_of(path) or {}
    assert set(metadata) == METADATA
    assert metadata["ss_base_model_version"] == "wan" and metadata["modelspec.architecture"] == "wan2.1/lora"
    assert metadata["ss_optimizer"] == "torch.optim.adamw.AdamW" and metadata["ss_steps"] == "4"
    assert "miniature" in metadata["ss_training_comment"]


def test_no_metadata_and_save_precision(train: Run, tmp_path: Path) -> None:
    train("--no_metadata", "--save_precision", "bf16", "--max_train_steps", 0)
    path = tmp_path / "out" / "toy.safetensors"
    assert len(metadata_of(path) or {}) == 12
    assert {tensor.dtype for tensor in load(path).values()} == {"BF16"}


def test_lines_in_order(train: Run) -> None:
    done = train("--max_train_epochs", 2, "--save_every_n_epochs", 1)
    lines = [line for line in done.stdout.splitlines() if line]
    start = lines.index("accelerator device: cpu")
    assert [re.sub(r"/\S*/", "@/", line) for line in lines[start:]] == [
        "accelerator device: cpu",
        "import network module: networks.lora_wan",
        "prepare optimizer, data loader etc.",
        "override steps. steps for 2 epochs is / 指定エポックまでのステップ数: 8",
        "running training / 学習開始",
        "  num train items / 学習画像、動画数: 4",
        "  num batches per epoch / 1epochのバッチ数: 4",
        "  num epochs / epoch数: 2",
        "  batch size per device / バッチサイズ: 1",
        "  gradient accumulation steps / 勾配を合計するステップ数 = 1",
        "  total optimization steps / 学習ステップ数: 8",
        "epoch 1/2",
        "saving checkpoint: @/toy-000001.safetensors",
        "epoch 2/2",
        "saving checkpoint: @/toy.safetensors",
    ]
    assert "\n\nsaving checkpoint" in done.stdout and "\n\nepoch 1/2" in done.stdout
    pieces = re.split(r"[\r\n]", done.stderr)
    assert any(re.match(r"steps:  50%\|█████     \| 4/8 \[.*avr_loss=", piece) for piece in pieces)
    # in the bar's own line: tqdm pads a bar that is shorter than the one before it with blanks
    assert re.search(r"\] *INFO:musubi_tuner\.training\.trainer_base:model saved\.", done.stderr)
    assert "bucket: (96, 64, 9), count: 4" in done.stderr and "total batches: 4" in done.stderr


def test_accumulation_and_repeats(train: Run, cached: Path) -> None:
    cached.write_text(cached.read_text("utf-8") + "num_repeats = 3\nbatch_size = 2\n", "utf-8")
    done = train("--max_train_epochs", 2, "--gradient_accumulation_steps", 4)
    assert "num train items / 学習画像、動画数: 12" in done.stdout
    assert "num batches per epoch / 1epochのバッチ数: 6" in done.stdout
    assert "total optimization steps / 学習ステップ数: 4" in done.stdout


def test_checkpoints_and_states(train: Run, tmp_path: Path) -> None:
    done = train(
        *("--max_train_steps", 8, "--save_every_n_steps", 2, "--save_last_n_steps", 4),
        *("--save_every_n_epochs", 1, "--save_state"),
    )
    assert "removing old checkpoint: " in done.stdout and "removing old state: " in done.stderr
    kept = ["000001", *(f"step{step:08d}" for step in (4, 6, 8))]
    states = [f"toy-{name}-state" for name in kept] + ["toy-state"]
    assert names(tmp_path / "out") == sorted([*states, *(f"toy-{n}.safetensors" for n in kept), "toy.safetensors"])
    files = ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "scheduler.bin"]
    assert names(tmp_path / "out" / "toy-state") == files


def test_last_epochs(train: Run, tmp_path: Path) -> None:
    train("--max_train_epochs", 5, "--save_every_n_epochs", 1, "--save_last_n_epochs", 2)
    assert names(tmp_path / "out") == ["toy-000003.safetensors", "toy-000004.safetensors", "toy.safetensors"]


def test_resume_and_network_weights(train: Run, tmp_path: Path) -> None:
    first = train("--max_train_steps", 40, "--save_state_on_train_end")
    state = tmp_path / "out" / "toy-state"
    again = train("--max_train_steps", 8, "--resume", state, "--output_name", "more")
    assert "Could not load random states" in again.stderr and "epoch 1/2" in again.stdout
    assert averages(again.stderr)[3] < averages(first.stderr)[3]
    weights = tmp_path / "out" / "toy.safetensors"
    loaded = train("--network_weights", weights, "--max_train_steps", 0, "--output_name", "same")
    assert f"load network weights from {weights}: <All keys matched successfully>" in loaded.stdout
    same = load(tmp_path / "out" / "same.safetensors")
    assert all(np.array_equal(tensor.values, same[key].values) for key, tensor in load(weights).items())


def test_a_resumed_scheduler_goes_on_where_it_was_with_the_length_of_the_new_run(train: Run, tmp_path: Path) -> None:
    halves = ("--lr_scheduler", "linear", "--learning_rate", "1e-3", "--logging_dir", tmp_path / "logs")
    train(*halves, "--max_train_steps", 8, "--save_every_n_steps", 4, "--save_state")
    state = ("--resume", tmp_path / "out" / "toy-step00000004-state", "--max_train_steps", 4)
    train(*halves, *state, "--log_prefix", "short-")
    horizon = ("--lr_scheduler_args", "num_warmup_steps=0", "num_training_steps=8")
    kept = ("--lr_scheduler_type", "transformers.get_linear_schedule_with_warmup", *horizon)
    train("--learning_rate", "1e-3", "--logging_dir", tmp_path / "logs", *state, *kept, "--log_prefix", "kept-")
    assert rates(tmp_path / "logs", "2") == pytest.approx([7e-3 / 8 - n * 1e-3 / 8 for n in range(8)])
    assert rates(tmp_path / "logs", "short-") == [0.0] * 4  # upstream counts the steps of the state, not its length
    assert rates(tmp_path / "logs", "kept-") == pytest.approx([3e-3 / 8, 2e-3 / 8, 1e-3 / 8, 0.0])


def test_diverging_training_goes_on(train: Run, tmp_path: Path) -> None:
    done = train("--learning_rate", "1e12", "--max_train_steps", 8)
    assert done.returncode == 0 and "avr_loss=nan" in done.stderr
    values = load(tmp_path / "out" / "toy.safetensors").values()
    assert any(np.isnan(tensor.values).any() for tensor in values)


def test_two_models(train: Run, models: dict[str, Path]) -> None:
    both = ("--dit", models["wan22_t2v_low"], "--dit_high_noise", models["wan22_t2v_high"])
    done = train("--task", "t2v-A14B", *both, "--timestep_sampling", "shift", "--discrete_flow_shift", 3)
    assert done.returncode == 0, done.stderr
    assert "Converted timestep_boundary to 0 to 1 range: 0.875" in done.stderr
    assert "Loading high noise model from" in done.stderr


@pytest.mark.parametrize(
    ("task", "dit", "cache"),
    [
        ("i2v-14B", "wan_i2v_14b", ["--clip", "clip_vision_h"]),
        ("flf2v-14B", "wan_flf2v_14b", ["--clip", "clip_vision_h"]),
        ("i2v-A14B", "wan22_i2v_low", ["--i2v"]),
    ],
)
def test_image_to_video(
    task: str,
    dit: str,
    cache: list[str],
    train: Run,
    cached: Path,
    script: Run,
    models: dict[str, Path],
    tmp_path: Path,
) -> None:
    encode = ("wan_cache_latents.py", "--dataset_config", cached, "--vae", models["wan_vae"])
    assert script(*encode, *(models.get(arg, arg) for arg in cache)).returncode == 0
    done = train("--task", task, "--dit", models[dit])
    assert done.returncode == 0, done.stderr
    with_image = any("k_img" in key for key in load(tmp_path / "out" / "toy.safetensors"))
    assert with_image == (task != "i2v-A14B")


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (["--fp8_base"], ["weight precision: torch.float8_e4m3fn", "casting model to torch.float8_e4m3fn"]),
        (["--fp8_base", "--fp8_scaled"], ["weight precision: None", "Number of optimized Linear layers: 20", "key/s]"]),
        (["--blocks_to_swap", "20"], ["enable swap 20 blocks to CPU from device: cpu"]),
    ],
)
def test_memory_options_are_told(args: list[str], lines: list[str], train: Run) -> None:
    done = train(*args)
    assert done.returncode == 0 and all(line in done.stderr for line in lines), done.stderr


def test_samples(train: Run, models: dict[str, Path], tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("# two\na cat --w 96 --h 64 --f 5 --d 7 --s 2\na dog --w 64 --h 64 --s 2\n", "utf-8")
    done = train(
        *("--sample_prompts", prompts, "--sample_at_first", "--sample_every_n_steps", 3),
        *("--vae", models["wan_vae"], "--t5", models["umt5_xxl"]),
    )
    assert done.returncode == 0, done.stderr
    found = [re.sub(r"_\d{14}", "_T", name) for name in names(tmp_path / "out" / "sample")]
    expected = [f"toy_{moment}_{end}" for moment in ("000003", "e000000") for end in ("00_T_7.mp4", "01_T_000.png")]
    assert sorted(found) == sorted(expected)
    assert "\x1b[A" in done.stderr and "Sampling timesteps for prompt 1: " in done.stderr


def test_sampling_without_prompts_is_an_error_line(train: Run) -> None:
    done = train("--sample_every_n_epochs", 1)
    assert done.returncode == 0 and "ERROR:musubi_tuner.training.trainer_base:No prompt file" in done.stderr


def records(data: bytes) -> list[bytes]:
    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = data[12 : 12 + length]
        assert struct.unpack("<I", data[8:12])[0] == masked_crc32c(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked_crc32c(event)
        found.append(event)
        data = data[16 + length :]
    return found


def test_tensorboard_events(train: Run, tmp_path: Path) -> None:
    train("--logging_dir", tmp_path / "logs", "--log_prefix", "p-", "--network_args", "loraplus_lr_ratio=4")
    (run,) = (tmp_path / "logs").iterdir()
    assert re.fullmatch(r"p-\d{14}", run.name)
    (file,) = (run / "network_train").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    events = records(file.read_bytes())
    assert b"brain.Event:2" in events[0]
    count = {tag: sum(tag in event for event in events) for tag in (b"loss/current", b"loss/average", b"loss/epoch")}
    assert count == {b"loss/current": 4, b"loss/average": 4, b"loss/epoch": 1}
    rate = next(event for event in events if b"lr/unet plus" in event)
    assert struct.unpack("<f", rate[-4:])[0] == pytest.approx(8e-4)


def test_crc_is_the_standard_one() -> None:
    # CRC-32C of "123456789" is 0xE3069283; the mask is that of TFRecord files
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_config_file(train: Run, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[a]\nmax_train_steps = 3\ntypo = 1\n[b]\noutput_name = "file"\n', "utf-8")
    config = (tmp_path / "run").as_posix()
    done = train("--config_file", config, "--output_name", "line")
    assert done.returncode == 0, done.stderr
    assert "total optimization steps / 学習ステップ数: 4" in done.stdout and "line.safetensors" in done.stdout
    missing = train("--config_file", "nowhere")
    assert missing.returncode == 1 and missing.stderr.endswith("nowhere.toml not found.\n")
    assert "Traceback" not in missing.stderr


def test_show_timesteps(train: Run) -> None:
    done = train("--show_timesteps", "console", "--timestep_sampling", "shift", "--discrete_flow_shift", 3)
    assert done.stdout.count("#") > 100 and "Sampled loss weighting: max weighting=1.0" in done.stdout
