"""Failures end as upstream's do: exit code 1 and the same last line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., object]


def last_line(stderr: str) -> str:
    return stderr.replace("\r", "\n").rstrip().splitlines()[-1]


def refused(done: object, text: str) -> bool:
    """The reason stands on a line of its own; an open bar may be printed once more behind it."""
    assert done.returncode == 1, done.stderr
    return any(line.startswith(text) for line in done.stderr.replace("\r", "\n").splitlines())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[general]\n[[datasets]]\nimage_directory = 'x'\ncache_dir = 'y'",
            "voluptuous.error.MultipleInvalid: extra keys not allowed @ data['datasets'][0]['cache_dir']",
        ),
        ("[other]", "voluptuous.error.MultipleInvalid: extra keys not allowed @ data['other']"),
        (
            "[general]\nbatch_size = '1'",
            "voluptuous.error.MultipleInvalid: expected int for dictionary value @ data['general']['batch_size']",
        ),
        (
            "[[datasets]]\nvideo_directory = 'x'\nsource_fps = 30",
            "voluptuous.error.MultipleInvalid: expected float for dictionary value @ data['datasets'][0]['source_fps']",
        ),
        (
            "[[datasets]]\nvideo_directory = 'x'\ntarget_frames = [25.0]",
            "voluptuous.error.MultipleInvalid: expected int @ data['datasets'][0]['target_frames'][0]",
        ),
        ("[general]\nbatch_size = ", "toml.decoder.TomlDecodeError: "),
        ("[general]\nbatch_size = 1", "AssertionError: datasets should not be an empty iterable"),
        (
            "[[datasets]]\ncache_directory = 'x'",
            "AttributeError: 'VideoDataset' object has no attribute 'datasource'",
        ),
        (
            "[[datasets]]\nimage_directory = 'x'\n[[datasets]]\nimage_directory = 'x'",
            "ValueError: cache directory should be unique for each dataset",
        ),
    ],
)
def test_dataset_toml(text: str, reason: str, script: Run, models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(text, "utf-8")
    done = script("wan_cache_latents.py", "--dataset_config", tmp_path / "d.toml", "--vae", models["wan_vae"])
    assert done.returncode == 1 and last_line(done.stderr).startswith(reason)


def test_missing_toml(script: Run) -> None:
    done = script("wan_cache_latents.py", "--dataset_config", "none.toml")
    assert last_line(done.stderr) == "ValueError: file not found / ファイルが見つかりません: none.toml"


@pytest.mark.parametrize(
    ("vae", "reason"),
    [
        (None, "AssertionError: vae checkpoint is required"),
        ("nowhere.safetensors", "FileNotFoundError: "),
        ("umt5_xxl", "NotImplementedError: Cannot copy out of meta tensor"),
        ("html", "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"),
    ],
)
def test_vae(vae: str | None, reason: str, script: Run, models: dict[str, Path], image_toml: Path) -> None:
    page = image_toml.with_name("page.safetensors")
    page.write_text("<!DOCTYPE html>" * 20, "utf-8")
    path = {"html": page, **models}.get(str(vae), vae)
    args = () if path is None else ("--vae", path)
    done = script("wan_cache_latents.py", "--dataset_config", image_toml, *args)
    assert done.returncode == 1 and last_line(done.stderr).startswith(reason)


def test_broken_pictures_and_videos(
    script: Run, models: dict[str, Path], toml: Callable[..., Path], images: Path, videos: Path
) -> None:
    (images / "a0.png").write_bytes(b"no picture")
    (videos / "v0.mp4").write_bytes(b"no video")
    for keys, reason in (
        ({"image_directory": f"'{images}'"}, "PIL.UnidentifiedImageError: cannot identify image file"),
        ({"video_directory": f"'{videos}'"}, "av.error.InvalidDataError: [Errno 1094995529] Invalid data found"),
    ):
        done = script("wan_cache_latents.py", "--dataset_config", toml(**keys), "--vae", models["wan_vae"])
        assert refused(done, reason), done.stderr


def test_captions(script: Run, models: dict[str, Path], toml: Callable[..., Path], images: Path, videos: Path) -> None:
    (videos / "v0.txt").unlink()
    text = ("wan_cache_text_encoder_outputs.py", "--t5", models["umt5_xxl"], "--dataset_config")
    missing = script(*text, toml(video_directory=f"'{videos}'"))
    assert refused(missing, "FileNotFoundError: [Errno 2] No such file or directory: ")
    none = script(*text, toml(general="resolution = [96, 64]", image_directory=f"'{images}'"))
    assert refused(none, "FileNotFoundError: [Errno 2] No such file or directory: ''")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--dit", "nowhere"], "FileNotFoundError: "),
        (
            ["--dit", "wan22_i2v_low"],
            "\tsize mismatch for patch_embedding.weight: copying a param with shape",
        ),
        (["--dit", "umt5_xxl"], "ValueError: Could not find the dtype in the model weights"),
        (["--mixed_precision", "fp16"], "AssertionError: DiT weights are in bf16, mixed precision must be bf16 or no"),
        (["--sage_attn"], "ValueError: SageAttention doesn't support training currently."),
        (["--fp8_scaled"], "AssertionError: fp8_scaled requires fp8_base"),
        (["--dit_high_noise", "wan22_t2v_high"], "ValueError: timestep_boundary is not specified for high noise model"),
        (["--network_module", "networks.lora"], "RuntimeError: No LoRA modules found"),
        (["--network_module", "other.lora"], "ModuleNotFoundError: No module named 'other.lora'"),
        (["--network_dim", "0"], "RuntimeError: No LoRA modules found"),
        (["--optimizer_type", ""], "AttributeError: module 'torch.optim' has no attribute ''"),
        (["--optimizer_type", "nolibrary.Best"], "ModuleNotFoundError: No module named 'nolibrary'"),
        (["--blocks_to_swap", "40"], "AssertionError: Cannot swap more than 39 blocks. Requested 40 blocks to swap."),
        (["--lr_warmup_steps", "2"], "ValueError: SchedulerType.CONSTANT does not require `num_warmup_steps`."),
        (["--log_with", "tensorboard"], "ValueError: logging_dir is required when log_with is tensorboard"),
        (["--resume", "/no/state"], "ValueError: Tried to find /no/state but folder does not exist"),
        (["--persistent_data_loader_workers"], "ValueError: persistent_workers option needs num_workers > 0"),
        (["--output_name", "a/b"], "safetensors_rust.SafetensorError: Error while serializing: IoError("),
        (["--task", "i2v-A14B", "--dit", "wan22_i2v_low"], "KeyError: 'latents_image'"),
        (["--sample_prompts", "prompts.md"], "UnboundLocalError: cannot access local variable 'prompts'"),
    ],
)
def test_training(args: list[str], reason: str, train: Run, models: dict[str, Path]) -> None:
    done = train(*(models.get(arg, arg) for arg in args))
    assert refused(done, reason), done.stderr


def test_required_of_training(train: Run, script: Run, models: dict[str, Path], cached: Path) -> None:
    base = ("--dataset_config", cached, "--dit", models["wan_t2v_14b"], "--mixed_precision", "bf16")
    assert refused(train(only=True), "ValueError: dataset_config is required")
    assert refused(train("--dataset_config", cached, only=True), "ValueError: path to DiT model is required")
    assert refused(train(*base, only=True), "ValueError: either --sdpa, --flash-attn")
    lora = ("--network_module", "networks.lora_wan", "--optimizer_type", "AdamW", "--max_train_steps", 2)
    done = train(*base, "--sdpa", *lora, only=True)
    assert refused(done, "TypeError: ") and "2/2" in done.stderr


def test_no_caches(train: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "cache").glob("*_te.safetensors"):
        path.unlink()
    done = train()
    assert refused(done, "ValueError: No training items found in the dataset.")
    assert done.stderr.count("Text encoder output cache file not found: ") == 4


def test_adamw8bit_needs_its_library(train: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    if find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    assert refused(train("--optimizer_type", "adamw8bit"), "ImportError: No bitsandbytes")


def test_truncated_cache_without_workers(train: Run, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a0_0096x0064_wan.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    done = train()
    assert refused(done, "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--video_size", "70", "96"], "ValueError: `height` and `width` have to be divisible by 8 but are 70 and 96."),
        (["--video_size", "72", "96"], "AssertionError: k_lens is not supported except for flash attention 3"),
        (["--task", "t2i-14B"], "AssertionError: video_length should be 1 for task t2i-14B"),
        (["--from_file", "x", "--interactive"], "ValueError: Cannot use both --from_file and --interactive"),
        (["--latent_path", "x", "--output_type", "both"], "AssertionError: latent_path is only supported for"),
        (["--lora_weight", "nowhere.safetensors"], "FileNotFoundError: "),
        (["--task", "i2v-A14B", "--dit", "wan22_i2v_low"], "AttributeError: 'NoneType' object has no attribute"),
        (
            ["--task", "i2v-A14B", "--dit", "wan22_i2v_low", "--image_path", "no.png"],
            "FileNotFoundError: [Errno 2] No such file or directory: ",
        ),
    ],
)
def test_generation(args: list[str], reason: str, script: Run, models: dict[str, Path], tmp_path: Path) -> None:
    base = ["--dit", models["wan_t2v_14b"], "--vae", models["wan_vae"], "--t5", models["umt5_xxl"], "--prompt", "x"]
    base += ["--video_size", 64, 96, "--video_length", 5, "--infer_steps", 2, "--save_path", tmp_path / "made"]
    done = script("wan_generate_video.py", *base, *(models.get(arg, arg) for arg in args))
    assert refused(done, reason), done.stderr


def test_generation_without_prompt(script: Run) -> None:
    done = script("wan_generate_video.py", "--save_path", "x")
    assert refused(done, "ValueError: Either --prompt, --from_file, --interactive, or --latent_path must be specified")


def test_truncated_dit(script: Run, models: dict[str, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.safetensors"
    short.write_bytes(models["wan_t2v_14b"].read_bytes()[:-1000])
    args = ("--prompt", "x", "--t5", models["umt5_xxl"], "--save_path", tmp_path, "--dit", short)
    assert refused(script("wan_generate_video.py", *args), "RuntimeError: shape '[")
