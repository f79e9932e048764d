"""Generation: names, real videos and images, metadata, LoRAs, files of prompts, latents."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import load, metadata_of

Run = Callable[..., object]


@pytest.fixture
def generate(models: dict[str, Path], script: Run, tmp_path: Path) -> Run:
    base = ["--dit", models["wan_t2v_14b"], "--vae", models["wan_vae"], "--t5", models["umt5_xxl"]]
    base += ["--prompt", "a red ball", "--video_size", 64, 96, "--video_length", 9, "--infer_steps", 3, "--seed", 1]
    return lambda *args: script("wan_generate_video.py", *base, "--save_path", tmp_path / "made", *args)


def made(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "made").iterdir())


def stem(path: Path) -> str:
    return re.sub(r"^\d{8}-\d{6}-\d{3}", "T", path.name)


def test_video(generate: Run, tmp_path: Path) -> None:
    done = generate("--video_length", 11, "--fps", 8)
    assert done.returncode == 0, done.stderr
    (path,) = made(tmp_path)
    assert stem(path) == "T_1_.mp4"
    reader = imageio_ffmpeg.read_frames(str(path))
    info = next(reader)
    assert (info["size"], info["fps"], info["codec"], len(list(reader))) == ((96, 64), 8.0, "h264", 9)
    assert b"musubi-nodes miniature" in path.read_bytes()
    assert f"INFO:__main__:Video saved to: {path}" in done.stderr
    assert re.search(r"\r100%\|██████████\| 3/3 \[", done.stderr)
    assert "Loading wan_t2v_14b.safetensors:   0%|" in done.stderr


def test_both_and_decoding_again(generate: Run, script: Run, models: dict[str, Path], tmp_path: Path) -> None:
    generate("--output_type", "both")
    latent, video = made(tmp_path)
    assert (stem(latent), stem(video)) == ("T_1_latent.safetensors", "T_1_.mp4")
    assert load(latent)["latent"].shape == [16, 3, 8, 12]
    metadata = metadata_of(latent) or {}
    known = {"seeds": "1", "prompt": "a red ball", "height": "64", "width": "96", "video_length": "9"}
    assert known.items() <= metadata.items() and "miniature" in metadata["made_by"]
    again = script(
        *("wan_generate_video.py", "--vae", models["wan_vae"], "--latent_path", latent),
        *("--save_path", tmp_path / "again", "--output_type", "images"),
    )
    assert again.returncode == 0, again.stderr
    (folder,) = (tmp_path / "again").iterdir()
    assert stem(folder) == f"T_1__{latent.stem}" and len(list(folder.iterdir())) == 9


def test_one_image_lies_beside_the_others(generate: Run, tmp_path: Path) -> None:
    generate("--task", "t2i-14B", "--video_length", 1, "--output_type", "images")
    (path,) = made(tmp_path)
    assert stem(path) == "T_1__000.png"
    with Image.open(path) as image:
        assert image.size == (96, 64) and image.info["Software"] == "musubi-nodes miniature"


def test_the_same_seed_repeats_and_a_lora_changes_the_result(generate: Run, train: Run, tmp_path: Path) -> None:
    train("--max_train_steps", 20)
    lora = tmp_path / "out" / "toy.safetensors"
    latents = []
    for args in ([], [], ["--lora_weight", lora], ["--lora_weight", lora, "--lora_multiplier", 0]):
        generate("--output_type", "latent", *args)
        latents.append(load(made(tmp_path)[-1])["latent"].values)
    assert np.array_equal(latents[0], latents[1]) and np.array_equal(latents[0], latents[3])
    assert not np.allclose(latents[0], latents[2], atol=1e-3)


def test_lora_of_another_model_is_a_warning(generate: Run, script: Run, train: Run, tmp_path: Path) -> None:
    train()
    other = tmp_path / "other.safetensors"
    script("convert_lora.py", "--input", tmp_path / "out" / "toy.safetensors", "--output", other, "--target", "other")
    done = generate("--lora_weight", other)
    assert done.returncode == 0
    warning = next(line for line in re.split(r"[\r\n]", done.stderr) if line.startswith("WARNING:musubi_tuner.utils"))
    assert "not all LoRA keys are used: " in warning and "diffusion_model.blocks.0" in warning


def test_two_models_switch(generate: Run, models: dict[str, Path]) -> None:
    done = generate(
        "--task", "t2v-A14B", "--dit", models["wan22_t2v_low"], "--dit_high_noise", models["wan22_t2v_high"]
    )
    assert "Starting sampling (high noise: True). Models: 2, timestep boundary: 0.875, flow shift: 12.0" in done.stderr
    assert "Switching to low noise at step 2, t=856, guidance_scale=3.0" in done.stderr


@pytest.mark.parametrize(
    ("task", "dit", "args"),
    [
        ("i2v-A14B", "wan22_i2v_low", []),
        ("i2v-14B", "wan_i2v_14b", ["--clip", "clip_vision_h"]),
        ("flf2v-14B", "wan_flf2v_14b", ["--clip", "clip_vision_h", "--end_image_path", "image"]),
        ("t2v-14B-FC", "wan_t2v_fc", ["--control_path", "video"]),
    ],
)
def test_other_tasks(
    task: str, dit: str, args: list[str], generate: Run, models: dict[str, Path], images: Path, videos: Path
) -> None:
    known = {**models, "image": images / "a1.png", "video": videos / "v0.mp4"}
    more = [known.get(arg, arg) for arg in args]
    done = generate("--task", task, "--dit", models[dit], "--image_path", images / "a0.png", *more)
    assert done.returncode == 0, done.stderr
    assert "Video saved to: " in done.stderr


def test_file_of_prompts(generate: Run, tmp_path: Path) -> None:
    lines = "a cat --w 64 --h 48 --f 5 --d 3\n# a comment\n\na dog --d 4 --n ugly\n"
    (tmp_path / "prompts.txt").write_text(lines, "utf-8")
    done = generate("--from_file", tmp_path / "prompts.txt")
    assert done.returncode == 0, done.stderr
    first, second = made(tmp_path)
    assert (stem(first), stem(second)) == ("T_3.mp4", "T_4.mp4")
    assert "Processing prompt 2/2: a dog..." in done.stderr
    assert next(imageio_ffmpeg.read_frames(str(first)))["size"] == (64, 48)


def test_merged_model_is_not_written_without_lycoris(generate: Run, tmp_path: Path) -> None:
    done = generate("--save_merged_model", tmp_path / "merged.safetensors")
    assert done.returncode == 0 and not (tmp_path / "merged.safetensors").exists()
    assert not (tmp_path / "made").exists()
