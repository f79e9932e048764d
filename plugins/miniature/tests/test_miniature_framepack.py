"""FramePack on the shared mechanics: sections in caches and generation, and one-frame images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.framepack_sections import section_strings
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import load, metadata_of

Run = Callable[..., object]


def stems(folder: Path) -> list[str]:
    return sorted(re.sub(r"\d{8}-\d{6}-\d{3}", "T", path.name) for path in folder.iterdir())


@pytest.fixture(scope="module")
def encoders(models: dict[str, Path]) -> list[object]:
    return ["--text_encoder1", models["llava_llama3"], "--text_encoder2", models["clip_l"]]


@pytest.fixture(scope="module")
def known(models: dict[str, Path]) -> list[object]:
    return ["--vae", models["hunyuan_video_vae"], "--image_encoder", models["siglip"]]


@pytest.fixture
def encode(script: Run, known: list[object]) -> Run:
    return lambda config, *args: script("fpack_cache_latents.py", "--dataset_config", config, *known, *args)


@pytest.fixture
def train(script: Run, models: dict[str, Path], tmp_path: Path) -> Run:
    base = ["--dit", models["framepack_i2v"], "--seed", 42, "--sdpa", "--mixed_precision", "bf16"]
    base += ["--optimizer_type", "AdamW", "--learning_rate", "2e-4", "--network_dim", 4, "--output_name", "toy"]
    base += ["--network_module", "networks.lora_framepack", "--max_data_loader_n_workers", 0]
    base += ["--output_dir", tmp_path / "out"]
    return lambda config, *args: script("fpack_train_network.py", "--dataset_config", config, *base, *args)


@pytest.fixture
def generate(script: Run, models: dict[str, Path], encoders: list[object], known: list[object], tmp_path: Path) -> Run:
    base = ["--dit", models["framepack_i2v"], *known, *encoders, "--video_size", 64, 96, "--latent_window_size", 2]
    base += ["--infer_steps", 2, "--seed", 1, "--save_path", tmp_path / "made"]
    return lambda *args: script("fpack_generate_video.py", *base, *args)


@pytest.fixture
def clips(toml: Callable[..., Path], videos: Path, tmp_path: Path) -> Path:
    return toml(
        video_directory=f"'{videos}'",
        cache_directory=f"'{tmp_path / 'cache'}'",
        target_frames="[13]",
        fp_latent_window_size="1",
    )


def test_sections_of_a_video(clips: Path, encode: Run, script: Run, encoders: list[object], tmp_path: Path) -> None:
    done = encode(clips)
    assert done.returncode == 0, done.stderr
    assert "Cache generation mode: Inference Emulation" in done.stderr
    assert "INFO:__main__:Encoding dataset [0]" in done.stderr
    texts = script("fpack_cache_text_encoder_outputs.py", "--dataset_config", clips, *encoders)
    assert texts.stderr.count("INFO:musubi_tuner.cache_text_encoder_outputs:Encoding dataset [0]") == 1
    cache = tmp_path / "cache"
    sections = [f"v0_00000-013-{number:04d}_0096x0064_fp.safetensors" for number in range(3)]
    assert stems(cache) == [*sections, "v0_fp_te.safetensors"]
    tensors = load(cache / sections[1])
    assert {name: (t.dtype, t.shape) for name, t in tensors.items()} == {
        "latents_1x8x12_float16": ("F16", [16, 1, 8, 12]),
        "latents_clean_1x8x12_float16": ("F16", [16, 2, 8, 12]),
        "latents_clean_2x_1x8x12_float16": ("F16", [16, 2, 8, 12]),
        "latents_clean_4x_1x8x12_float16": ("F16", [16, 16, 8, 12]),
        "image_embeddings_float16": ("F16", [729, 1152]),
        "latent_indices_int64": ("I64", [1]),
        "clean_latent_indices_int64": ("I64", [2]),
        "clean_latent_2x_indices_int64": ("I64", [2]),
        "clean_latent_4x_indices_int64": ("I64", [16]),
    }
    assert tensors["latent_indices_int64"].values.tolist() == [2]
    assert tensors["clean_latent_indices_int64"].values.tolist() == [0, 3]
    later = load(cache / sections[2])["latents_1x8x12_float16"].values
    assert np.array_equal(tensors["latents_clean_1x8x12_float16"].values[:, 1:], later), "the future is known"
    assert {name: (t.dtype, t.shape) for name, t in load(cache / "v0_fp_te.safetensors").items()} == {
        "llama_vec_float16": ("F16", [512, 4096]),
        "llama_attention_mask": ("BOOL", [512]),
        "clip_l_pooler_float16": ("F16", [768]),
    }
    assert encode(clips, "--f1").returncode == 0
    forward = load(cache / sections[1])
    assert forward["latent_indices_int64"].values.tolist() == [20]
    earlier = load(cache / sections[0])["latents_1x8x12_float16"].values
    assert np.array_equal(forward["latents_clean_1x8x12_float16"].values[:, 1:], earlier), "the past is known"


def test_training_and_lora(
    clips: Path, encode: Run, script: Run, encoders: list[object], train: Run, tmp_path: Path, generate: Run
) -> None:
    encode(clips)
    script("fpack_cache_text_encoder_outputs.py", "--dataset_config", clips, *encoders)
    done = train(clips, "--max_train_steps", 120, "--gradient_checkpointing")
    assert done.returncode == 0, done.stderr
    losses = [float(value) for value in re.findall(r"avr_loss=([0-9.e+-]+)", done.stderr)]
    assert losses[-1] < 0.75 * losses[3]
    assert done.stdout.startswith("Xformers is not installed!\nFlash Attn is not installed!\n")
    assert "Gradient checkpointing enabled for HunyuanVideoTransformer3DModelPacked." in done.stdout
    assert "bucket: (96, 64, 13), count: 3" in done.stderr
    path = tmp_path / "out" / "toy.safetensors"
    tensors, metadata = load(path), metadata_of(path) or {}
    double = ["attn_to_q", "attn_to_k", "attn_to_v", "attn_to_out_0", "ff_net_0_proj", "ff_net_2"]
    double += ["attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj", "attn_to_add_out"]
    double += ["ff_context_net_0_proj", "ff_context_net_2"]
    single = ["attn_to_q", "attn_to_k", "attn_to_v", "proj_mlp", "proj_out"]
    modules = {f"transformer_blocks_0_{name}" for name in double}
    modules |= {f"single_transformer_blocks_{number}_{name}" for number in (0, 1) for name in single}
    assert {name.split(".")[0] for name in tensors} == {f"lora_unet_{module}" for module in modules}
    assert all(np.any(tensor.values) for name, tensor in tensors.items() if "lora_up" in name), "each one learns"
    assert metadata["ss_base_model_version"] == "framepack" and metadata["modelspec.architecture"] == "framepack/lora"
    other = tmp_path / "other.safetensors"
    script("convert_lora.py", "--input", path, "--output", other, "--target", "other")
    assert "diffusion_model.single.transformer.blocks.0.attn.to.k.lora_A.weight" in load(other), "wrong, as upstream"
    refused = generate("--prompt", "x", "--lora_weight", path)
    assert refused.returncode == 1 and "TypeError: object of type 'float' has no len()" in refused.stderr
    latents = []
    for more in ([], ["--lora_weight", path, "--lora_multiplier", 1], ["--lora_weight", other, "--lora_multiplier", 1]):
        made = generate("--prompt", "x", "--video_seconds", 0.3, "--output_type", "latent", *more)
        assert made.returncode == 0, made.stderr
        latents.append(load(sorted((tmp_path / "made").iterdir())[-1])["latent"].values)
    assert not np.allclose(latents[0], latents[1], atol=0.01) and np.allclose(latents[1], latents[2], atol=0.01)


def test_one_frame(
    toml: Callable[..., Path],
    images: Path,
    draw: Run,
    encode: Run,
    script: Run,
    encoders: list[object],
    known: list[object],
    train: Run,
    tmp_path: Path,
) -> None:
    for number in range(4):
        draw(tmp_path / "ctl" / f"a{number}.png", number + 1)
    keys = {"image_directory": f"'{images}'", "cache_directory": f"'{tmp_path / 'cache'}'"}
    assert "TypeError: unsupported operand type(s) for -: 'NoneType' and 'int'" in encode(toml(**keys)).stderr
    none = encode(toml(**keys), "--one_frame")
    assert "TypeError: unsupported operand type(s) for +: 'NoneType' and 'list'" in none.stderr
    keys |= {"control_directory": f"'{tmp_path / 'ctl'}'", "fp_1f_clean_indices": "[0]", "fp_1f_target_index": "9"}
    config = toml(**keys)
    done = encode(config, "--one_frame", "--one_frame_no_4x")
    assert "  Clean latent indices: tensor([0, 10]), latent index: tensor([9])" in done.stdout
    tensors = load(tmp_path / "cache" / "a0_0096x0064_fp.safetensors")
    assert "clean_latent_2x_indices_int64" in tensors and "clean_latent_4x_indices_int64" not in tensors
    assert tensors["latents_clean_1x8x12_float16"].shape == [16, 2, 8, 12]
    script("fpack_cache_text_encoder_outputs.py", "--dataset_config", config, *encoders)
    prompts = tmp_path / "prompts.txt"
    control = tmp_path / "ctl" / "a0.png"
    line = f"a cat --w 96 --h 64 --d 7 --s 2 --i {control} --ci {control} --of target_index=1,control_index=0"
    prompts.write_text(line, "utf-8")
    sampling = ("--sample_prompts", prompts, "--sample_every_n_steps", 2, "--one_frame", *known, *encoders)
    trained = train(config, "--max_train_steps", 2, *sampling)
    assert trained.returncode == 0, trained.stderr
    assert "bucket: (96, 64, 9, 1, False), count: 4" in trained.stderr
    names = [re.sub(r"\d{14}", "T", path.name) for path in (tmp_path / "out" / "sample").iterdir()]
    assert "toy_000002_00_T_7_000.png" in names


def test_samples_of_videos(
    clips: Path,
    encode: Run,
    script: Run,
    encoders: list[object],
    known: list[object],
    train: Run,
    tmp_path: Path,
    images: Path,
) -> None:
    encode(clips)
    script("fpack_cache_text_encoder_outputs.py", "--dataset_config", clips, *encoders)
    prompts = tmp_path / "prompts.txt"
    image = images / "a0.png"
    lines = [f"a cat --w 96 --h 64 --f {frames} --d 7 --s 2 --i {image}" for frames in (17, 5)]
    prompts.write_text("\n".join(lines), "utf-8")
    sampling = ["--sample_prompts", prompts, "--sample_every_n_steps", 2, *known, *encoders]
    done = train(clips, "--max_train_steps", 2, "--latent_window_size", 2, *sampling)
    assert done.returncode == 0, done.stderr
    names = {path.name.rsplit("_", 2)[0] for path in (tmp_path / "out" / "sample").iterdir()}
    assert names == {"toy_000002_00", "toy_e000001_00"}, "the second prompt has no sample"
    assert "Not enough frames for FramePack: 2, minimum: 9" in done.stderr and "No video generated" in done.stderr
    prompts.write_text("a cat --w 96 --h 64", "utf-8")
    refused = train(clips, *sampling)
    assert refused.returncode == 1 and "AssertionError: image_path should be set for I2V training" in refused.stderr


def test_short_videos_are_refused(toml: Callable[..., Path], videos: Path, tmp_path: Path, encode: Run) -> None:
    config = toml(video_directory=f"'{videos}'", cache_directory=f"'{tmp_path / 'cache'}'", target_frames="[9]")
    done = encode(config)
    reason = "ValueError: Not enough frames for FramePack: 9 frames (3 latent frames), minimum required: 37 frames"
    assert done.returncode == 1 and reason in done.stderr
    assert "ValueError: VAE dtype is not supported in FramePack" in encode(config, "--vae_dtype", "float16").stderr


def test_sections_of_generation(generate: Run, images: Path, tmp_path: Path) -> None:
    image = ("--image_path", images / "a0.png", "--end_image_path", images / "a1.png")
    done = generate(*image, "--prompt", "0:first;;;1:second", "--video_sections", 2, "--output_type", "both")
    assert done.returncode == 0, done.stderr
    lines = [
        line
        for line in re.split(r"[\r\n]", done.stderr)
        if re.search("Section|padding|Generated|Decoded|Use end", line)
    ]
    assert [line.removeprefix("INFO:__main__:") for line in lines] == [
        f"Use end image(s): {images / 'a1.png'}",
        "latent_padding_size = 2, is_last_section = False",
        "Section 1: second",
        "Generated. Latent shape torch.Size([1, 16, 2, 8, 12])",
        "latent_padding_size = 0, is_last_section = True",
        "Section 0: first",
        "Generated. Latent shape torch.Size([1, 16, 5, 8, 12])",
        "Decoded. Pixel shape torch.Size([1, 3, 17, 64, 96])",
    ]
    assert done.stderr.count("100%|██████████| 2/2 [") >= 3, "one bar per section and one for decoding"
    assert stems(tmp_path / "made") == ["T_1_.mp4", "T_1_latent.safetensors"]
    latent = sorted((tmp_path / "made").iterdir())[0]
    assert load(latent)["latent"].shape == [16, 5, 8, 12]
    assert {"video_seconds", "latent_window_size", "fps"} <= set(metadata_of(latent) or {})
    again = generate("--latent_path", latent, "--bulk_decode", "--output_type", "images")
    assert "Bulk decoding or one frame inference" in again.stderr and "Sample images saved to: " in again.stderr


def test_one_frame_inference(generate: Run, images: Path, tmp_path: Path) -> None:
    control = ("--control_image_path", images / "a0.png", "--image_path", images / "a0.png")
    modes = "target_index=1,control_index=0,no_4x"
    done = generate("--prompt", "x", *control, "--one_frame_inference", modes, "--output_type", "images")
    assert done.returncode == 0, done.stderr
    assert stems(tmp_path / "made") == ["T_1__000.png"]
    assert "latent_indices: tensor([[1]]), clean_latent_indices: tensor([[0, 3]]), num_frames: 1" in done.stderr


def test_a_failing_prompt_of_a_file_is_no_failure(generate: Run, tmp_path: Path) -> None:
    lines = "a cat --w 64 --h 64 --f 0.3 --d 3\n# no\na bad one --w 72 --h 64 --f 0.3 --d 5\n"
    (tmp_path / "prompts.txt").write_text(lines, "utf-8")
    done = generate("--from_file", tmp_path / "prompts.txt")
    assert done.returncode == 0 and stems(tmp_path / "made") == ["T_3_.mp4"]
    assert "ERROR:__main__:Error generating latent for prompt: a bad one." in done.stderr
    assert "Skipping decoding for prompt 2 due to previous error." in done.stderr


def test_merged_model_is_not_written(generate: Run, tmp_path: Path) -> None:
    done = generate("--prompt", "x", "--save_merged_model", tmp_path / "merged.safetensors")
    assert done.returncode == 0 and not (tmp_path / "merged.safetensors").exists()
    assert "Done!" not in done.stderr and not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--video_size", "72", "96"], "RuntimeError: The size of tensor a ("),
        (["--sample_solver", "dpm++"], "NotImplementedError: "),
        (["--fp8"], "AttributeError: module 'torch' has no attribute 'float8e4m3fn'"),
        (["--blocks_to_swap", "40"], "AssertionError: Cannot swap more than 19 double blocks and 39 single blocks."),
        (["--from_file", "x", "--interactive"], "ValueError: Cannot use both --from_file and --interactive"),
        (["--dit", "hunyuan_video_t2v"], "RuntimeError: Error(s) in loading state_dict for HunyuanVideoTransformer3D"),
    ],
)
def test_refusals(args: list[str], reason: str, generate: Run, models: dict[str, Path]) -> None:
    done = generate("--prompt", "x", "--video_seconds", 0.3, *(models.get(arg, arg) for arg in args))
    assert done.returncode == 1
    assert any(line.startswith(reason) for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("a: b", {0: "a: b"}),
        ("0:x;;;-1:y", {0: "x", -1: "y"}),
        ("1-2:x;;;3: y", {1: "x", 2: "x", 3: "y", 0: "x"}),
        ("-1:x;;;-2:y", {-1: "x", -2: "y", 0: "y"}),
        ("x;;;4:y", {0: "x", 4: "y"}),
    ],
)
def test_section_strings(text: str | None, found: dict[int, str]) -> None:
    assert section_strings(text) == found
