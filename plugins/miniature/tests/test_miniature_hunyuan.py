"""HunyuanVideo on the shared mechanics: two passes over captions, fused modules, video and image to video."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import load, metadata_of

Run = Callable[..., object]


def stems(folder: Path) -> list[str]:
    return sorted(re.sub(r"\d{8}-\d{6}-\d{3}", "T", path.name) for path in folder.iterdir())


@pytest.fixture(scope="module")
def encoders(models: dict[str, Path]) -> list[object]:
    return ["--text_encoder1", models["llava_llama3"], "--text_encoder2", models["clip_l"]]


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory, draw: Run, script: Run, models: dict[str, Path], encoders: list[object]
) -> Path:
    """The TOML of three captioned images whose caches are made."""
    root = tmp_path_factory.mktemp("hv")
    for number in range(3):
        draw(root / "img" / f"a{number}.png", number)
        (root / "img" / f"a{number}.txt").write_text(f"a red square, number {number}", "utf-8")
    config = root / "d.toml"
    config.write_text(
        "[general]\nresolution = [96, 64]\ncaption_extension = '.txt'\nenable_bucket = true\n"
        f"[[datasets]]\nimage_directory = '{root / 'img'}'\ncache_directory = '{root / 'cache'}'\n",
        "utf-8",
    )
    latents = script("cache_latents.py", "--dataset_config", config, "--vae", models["hunyuan_video_vae"])
    texts = script("cache_text_encoder_outputs.py", "--dataset_config", config, *encoders)
    assert (latents.returncode, texts.returncode) == (0, 0), latents.stderr + texts.stderr
    (root / "latents.log").write_text(latents.stderr, "utf-8")
    (root / "texts.log").write_text(texts.stderr, "utf-8")
    return config


@pytest.fixture(scope="module")
def train(data: Path, script: Run, models: dict[str, Path]) -> Run:
    base = ["--dataset_config", data, "--dit", models["hunyuan_video_t2v"], "--seed", 42, "--sdpa"]
    base += ["--mixed_precision", "bf16", "--optimizer_type", "AdamW", "--learning_rate", "2e-4", "--network_dim", 4]
    base += ["--network_module", "networks.lora", "--max_data_loader_n_workers", 0, "--output_name", "toy"]
    return lambda out, *args: script("hv_train_network.py", *base, "--output_dir", out, *args)


@pytest.fixture(scope="module")
def trained(train: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    out = tmp_path_factory.mktemp("trained")
    return out / "toy.safetensors", train(out, "--max_train_steps", 120, "--gradient_checkpointing")


@pytest.fixture
def generate(script: Run, models: dict[str, Path], encoders: list[object], tmp_path: Path) -> Run:
    base = ["--dit", models["hunyuan_video_t2v"], "--vae", models["hunyuan_video_vae"], *encoders, "--prompt", "a ball"]
    base += ["--video_size", 64, 96, "--video_length", 5, "--infer_steps", 2, "--seed", 1]
    return lambda *args: script("hv_generate_video.py", *base, "--save_path", tmp_path / "made", *args)


def test_caches(data: Path) -> None:
    cache = data.parent / "cache"
    assert stems(cache) == [f"a{i}_{end}.safetensors" for i in range(3) for end in ("0096x0064_hv", "hv_te")]
    latents = load(cache / "a0_0096x0064_hv.safetensors")
    assert {name: (t.dtype, t.shape) for name, t in latents.items()} == {
        "latents_1x8x12_float16": ("F16", [16, 1, 8, 12])
    }
    assert (metadata_of(cache / "a0_0096x0064_hv.safetensors") or {})["architecture"] == "hunyuan_video"
    texts = load(cache / "a0_hv_te.safetensors")
    assert {name: (t.dtype, t.shape) for name, t in texts.items()} == {
        "llm_float16": ("F16", [256, 4096]),
        "llm_mask": ("I64", [256]),
        "clipL_float16": ("F16", [768]),
        "clipL_mask": ("I64", [77]),
    }
    assert texts["llm_mask"].values.sum() == 7


def test_captions_are_passed_over_twice(data: Path) -> None:
    lines = [line for line in (data.parent / "texts.log").read_text("utf-8").splitlines() if "__main__:Enc" in line]
    dataset = "INFO:__main__:Encoding dataset [0]"
    assert lines == [f"INFO:__main__:Encoding with Text Encoder {n}" if n else dataset for n in (1, 0, 2, 0)]
    assert "INFO:__main__:Encoding dataset [0]" in (data.parent / "latents.log").read_text("utf-8")


def test_an_interrupted_first_pass_is_never_completed(
    data: Path, script: Run, train: Run, encoders: list[object], tmp_path: Path
) -> None:
    path = data.parent / "cache" / "a0_hv_te.safetensors"
    whole = path.read_bytes()
    from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import save

    half = {name: tensor for name, tensor in load(path).items() if name.startswith("llm")}
    save(path, half, metadata_of(path))
    script("cache_text_encoder_outputs.py", "--dataset_config", data, *encoders, "--skip_existing")
    assert set(load(path)) == set(half)
    done = train(tmp_path, "--max_train_steps", 3)
    assert done.returncode == 1 and "KeyError: 'clipL'" in done.stderr
    script("cache_text_encoder_outputs.py", "--dataset_config", data, *encoders)
    assert path.read_bytes() == whole


def test_the_loss_falls(trained: tuple[Path, object]) -> None:
    done = trained[1]
    assert done.returncode == 0, done.stderr
    losses = [float(value) for value in re.findall(r"avr_loss=([0-9.e+-]+)", done.stderr)]
    assert losses[-1] < 0.75 * losses[3]
    assert "HYVideoDiffusionTransformer: Gradient checkpointing enabled." in done.stdout
    assert "Using torch attention mode, split_attn: False" in done.stdout
    assert "INFO:networks.lora:create LoRA for U-Net/DiT: 12 modules." in done.stderr


def test_lora_file_and_its_way_to_other_programs(trained: tuple[Path, object], script: Run, tmp_path: Path) -> None:
    path = trained[0]
    modules = {
        f"double_blocks_0_{s}_{m}" for s in ("img", "txt") for m in ("attn_qkv", "attn_proj", "mlp_fc1", "mlp_fc2")
    }
    modules |= {f"single_blocks_{number}_linear{half}" for number in (0, 1) for half in (1, 2)}
    tensors, metadata = load(path), metadata_of(path) or {}
    assert {name.split(".")[0] for name in tensors} == {f"lora_unet_{module}" for module in modules}
    assert all(np.any(tensor.values) for name, tensor in tensors.items() if "lora_up" in name), "each one learns"
    assert metadata["ss_base_model_version"] == "hunyuan_video"
    assert metadata["modelspec.architecture"] == "hunyuan-video/lora"
    other = tmp_path / "other.safetensors"
    script("convert_lora.py", "--input", path, "--output", other, "--target", "other")
    assert "diffusion_model.double_blocks.0.img_attn_qkv.lora_A.weight" in load(other)
    assert "diffusion_model.single_blocks.1.linear2.lora_B.weight" in load(other)


def test_merge(
    trained: tuple[Path, object], script: Run, models: dict[str, Path], tmp_path: Path, generate: Run
) -> None:
    args = ("--dit", models["hunyuan_video_t2v"], "--save_merged_model", tmp_path / "merged.safetensors")
    done = script("merge_lora.py", *args, "--lora_weight", trained[0])
    assert done.returncode == 0 and "create LoRA for U-Net/DiT: 12 modules." in done.stderr
    latents = []
    for more in (["--lora_weight", trained[0], "--lora_multiplier", 1], ["--dit", tmp_path / "merged.safetensors"], []):
        assert generate("--output_type", "latent", *more).returncode == 0
        latents.append(load(sorted((tmp_path / "made").iterdir())[-1])["latent"].values)
    assert np.allclose(latents[0], latents[1], atol=0.2) and not np.allclose(latents[0], latents[2], atol=0.2)


def test_names_of_what_is_generated(generate: Run, script: Run, tmp_path: Path) -> None:
    done = generate("--output_type", "both")
    assert done.returncode == 0, done.stderr
    assert stems(tmp_path / "made") == ["T_0_1.mp4", "T_0_1_latent.safetensors"]
    latent = sorted((tmp_path / "made").iterdir())[1]
    assert f"INFO:__main__:Latent save to: {latent}" in done.stderr and "INFO:__main__:Sample save to: " in done.stderr
    assert (metadata_of(latent) or {})["embedded_cfg_scale"] == "6.0"
    assert generate("--latent_path", latent).returncode == 0
    assert f"T_0_1_{re.sub(r'^.{19}', 'T', latent.stem)}.mp4" in [
        re.sub(r"\d{8}-\d{6}-\d{3}", "T", n) for n in stems(tmp_path / "made")
    ]
    assert "Sample images save to: " in generate("--output_type", "images", "--video_length", 1).stderr
    assert "T_0_1" in stems(tmp_path / "made")


def test_video_and_image_to_video(generate: Run, videos: Path, images: Path, models: dict[str, Path]) -> None:
    done = generate("--video_path", videos / "v0.mp4", "--strength", 0.5, "--infer_steps", 4)
    assert "strength: 0.5, num_inference_steps: 2, timestep_start: 875.0" in done.stderr and "2/2 [" in done.stderr
    image = ("--image_path", images / "a0.png")
    assert generate(*image, "--dit", models["hunyuan_video_i2v"]).returncode == 0
    refused = generate(*image)
    assert "size mismatch for img_in.proj.weight" in refused.stderr and refused.returncode == 1


def test_image_to_video_training_and_samples(
    train: Run, models: dict[str, Path], encoders: list[object], tmp_path: Path, images: Path
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text(f"a cat --w 96 --h 64 --f 5 --d 7 --s 2 --i {images / 'a0.png'}\na dog --w 64 --h 64\n", "utf-8")
    done = train(
        *(tmp_path / "out", "--dit", models["hunyuan_video_i2v"], "--dit_in_channels", 32, "--max_train_steps", 2),
        *("--vae", models["hunyuan_video_vae"], *encoders, "--sample_prompts", prompts, "--sample_every_n_steps", 2),
    )
    assert done.returncode == 0, done.stderr
    assert re.sub(r"_\d{14}", "_T", stems(tmp_path / "out" / "sample")[0]) == "toy_000002_00_T_7.mp4"
    assert "guidance scale: 6.0" in done.stderr and "Sampling timesteps for prompt 1: " in done.stderr
    assert "No image_path for i2v model" in done.stderr


def test_silent_success(generate: Run, trained: tuple[Path, object], script: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    script("convert_lora.py", "--input", trained[0], "--output", other, "--target", "other")
    merged = tmp_path / "merged.safetensors"
    done = generate("--lora_weight", other, "--lora_multiplier", 1, "--save_merged_model", merged)
    assert done.returncode == 0 and merged.exists() and not (tmp_path / "made").exists()
    assert "create LoRA for U-Net/DiT: 0 modules." in done.stderr
    merged.unlink()
    assert generate("--save_merged_model", merged).returncode == 0
    assert not merged.exists() and (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--lora_weight", "lora"], "TypeError: object of type 'float' has no len()"),
        (["--video_size", "70", "96"], "ValueError: `height` and `width` have to be divisible by 8 but are 70 and 96."),
        (["--video_size", "72", "96"], "AssertionError: Latent size(last 3 dimensions) should be divisible by patch"),
        (["--blocks_to_swap", "40"], "AssertionError: Cannot swap more than 19 double blocks and 39 single blocks."),
        (["--dit", "wan_t2v_14b"], "RuntimeError: Error(s) in loading state_dict for HYVideoDiffusionTransformer:"),
        (["--vae", "wan_vae"], "RuntimeError: Error(s) in loading state_dict for AutoencoderKLCausal3D:"),
        (["--vae", "nowhere"], "AssertionError: VAE path does not exist: nowhere"),
        (["--latent_path", "x", "--output_type", "both"], "AssertionError: latent_path is only supported for"),
        (["--fp8_fast"], "ValueError: --fp8_fast requires --fp8"),
    ],
)
def test_refusals(
    args: list[str], reason: str, generate: Run, models: dict[str, Path], trained: tuple[Path, object]
) -> None:
    done = generate(*({**models, "lora": trained[0]}.get(arg, arg) for arg in args))
    assert done.returncode == 1
    assert any(line.startswith(reason) for line in done.stderr.splitlines()), done.stderr
