"""Cache files: names, tensors and metadata as upstream writes them, and what happens to old ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature import encoders, wan_encoders
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.buckets import BucketSelector
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.media import read_video
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import load, metadata_of

Run = Callable[..., object]


@pytest.fixture
def encode(models: dict[str, Path], script: Run) -> Run:
    return lambda config, *args: script(
        "wan_cache_latents.py", "--dataset_config", config, "--vae", models["wan_vae"], *args
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_image_caches(cached: Path, tmp_path: Path) -> None:
    expected = [f"a{i}_{end}.safetensors" for i in range(4) for end in ("0096x0064_wan", "wan_te")]
    assert names(tmp_path / "cache") == expected
    latent = load(tmp_path / "cache" / "a0_0096x0064_wan.safetensors")
    ((name, tensor),) = latent.items()
    assert (name, tensor.dtype, tensor.shape) == ("latents_1x8x12_bfloat16", "BF16", [16, 1, 8, 12])
    metadata = metadata_of(tmp_path / "cache" / "a0_0096x0064_wan.safetensors") or {}
    kept = {key: metadata[key] for key in ("architecture", "width", "height", "format_version")}
    assert kept == {"architecture": "wan", "width": "96", "height": "64", "format_version": "1.0.1"}
    assert "miniature" in metadata["made_by"]
    text = load(tmp_path / "cache" / "a0_wan_te.safetensors")
    assert {name: (t.dtype, t.shape[1]) for name, t in text.items()} == {"varlen_t5_bfloat16": ("BF16", 4096)}
    assert (metadata_of(tmp_path / "cache" / "a0_wan_te.safetensors") or {})["caption1"] == "a red square, number 0"


def test_log_lines_and_bar(image_toml: Path, encode: Run) -> None:
    done = encode(image_toml)
    lines = done.stderr.splitlines()
    assert lines[0] == "INFO:musubi_tuner.miniature:practice install: toy arithmetic, not the real models"
    assert "INFO:musubi_tuner.dataset.datasources:found 4 images" in lines
    assert "INFO:musubi_tuner.cache_latents:Encoding dataset [0]" in lines
    assert "\r0it [00:00, ?it/s]" in done.stderr and "4it [" in done.stderr
    assert done.stdout == ""


def test_the_bar_counts_batches(toml: Callable[..., Path], images: Path, encode: Run) -> None:
    done = encode(toml(image_directory=f"'{images}'", batch_size="3"))
    assert "2it [" in done.stderr and "3it [" not in done.stderr


@pytest.mark.parametrize(
    ("keys", "clips"),
    [
        ({"target_frames": "[1, 9]"}, ["00000-001", "00000-009"]),
        ({"target_frames": "[5]", "frame_extraction": "'chunk'"}, ["00000-005", "00005-005"]),
        (
            {"target_frames": "[9]", "frame_extraction": "'slide'", "frame_stride": "2"},
            ["00000-009", "00002-009", "00004-009"],
        ),
        (
            {"target_frames": "[5]", "frame_extraction": "'uniform'", "frame_sample": "3"},
            ["00000-005", "00004-005", "00008-005"],
        ),
        ({"frame_extraction": "'full'", "max_frames": "12"}, ["00000-009"]),
        ({"target_frames": "[99]"}, []),
    ],
)
def test_clips(
    keys: dict[str, str], clips: list[str], toml: Callable[..., Path], videos: Path, tmp_path: Path, encode: Run
) -> None:
    cache = tmp_path / "cache"
    done = encode(toml(video_directory=f"'{videos}'", cache_directory=f"'{cache}'", **keys))
    assert done.returncode == 0, done.stderr
    assert (names(cache) if cache.exists() else []) == [f"v0_{clip}_0096x0064_wan.safetensors" for clip in clips]


def test_source_fps_drops_frames(videos: Path) -> None:
    path = str(videos / "v0.mp4")
    assert [len(read_video(path, source_fps=fps)) for fps in (None, 16.0, 32.0)] == [13, 13, 7]
    assert len(read_video(path, 5)) == 5


def test_image_to_video(
    image_toml: Path, models: dict[str, Path], tmp_path: Path, encode: Run, toml: Callable[..., Path], videos: Path
) -> None:
    config = toml(video_directory=f"'{videos}'", cache_directory=f"'{tmp_path / 'i2v'}'", target_frames="[9]")
    assert encode(config, "--clip", models["clip_vision_h"]).returncode == 0
    (path,) = (tmp_path / "i2v").iterdir()
    tensors = load(path)
    assert {name: t.dtype for name, t in tensors.items()} == {
        "clip_bfloat16": "F16",
        "latents_3x8x12_bfloat16": "BF16",
        "latents_image_3x8x12_bfloat16": "BF16",
    }
    image = tensors["latents_image_3x8x12_bfloat16"].values
    assert image.shape == (20, 3, 8, 12)
    assert (image[:4, 0] == 1).all() and not image[:4, 1:].any()


def test_one_frame_and_control(
    models: dict[str, Path], tmp_path: Path, encode: Run, toml: Callable[..., Path], images: Path, draw: Run
) -> None:
    for number in range(4):
        draw(tmp_path / "ctl" / f"a{number}.png", number + 1)
    keys = {"image_directory": f"'{images}'", "control_directory": f"'{tmp_path / 'ctl'}'"}
    keys |= {"fp_1f_clean_indices": "[0]", "fp_1f_target_index": "9", "cache_directory": f"'{tmp_path / 'one'}'"}
    config = toml(**keys)
    assert encode(config, "--one_frame", "--clip", models["clip_vision_h"]).returncode == 0
    tensors = load(tmp_path / "one" / "a0_0096x0064_wan.safetensors")
    assert tensors["f_indices_int32"].values.tolist() == [0, 9]
    assert tensors["latents_2x8x12_bfloat16"].shape == [16, 2, 8, 12]
    assert encode(config).returncode == 0
    assert "latents_control_1x8x12_bfloat16" in load(tmp_path / "one" / "a0_0096x0064_wan.safetensors")


def test_skip_existing_looks_at_names_only(cached: Path, tmp_path: Path, encode: Run) -> None:
    path = tmp_path / "cache" / "a0_0096x0064_wan.safetensors"
    path.write_bytes(b"broken")
    encode(cached, "--skip_existing", "--i2v")
    assert path.read_bytes() == b"broken"
    encode(cached)
    assert "latents_1x8x12_bfloat16" in load(path)


def test_a_wrong_folder_deletes_all_caches_unless_kept(
    cached: Path, tmp_path: Path, toml: Callable[..., Path], encode: Run
) -> None:
    wrong = toml(image_directory="'/no/such/folder'", cache_directory=f"'{tmp_path / 'cache'}'")
    kept = encode(wrong, "--keep_cache")
    assert "found 0 images" in kept.stderr and "Keep cache file not in the dataset: " in kept.stderr
    gone = encode(wrong)
    assert gone.returncode == 0 and gone.stderr.count("Removed old cache file: ") == 4
    assert names(tmp_path / "cache") == [f"a{i}_wan_te.safetensors" for i in range(4)]


def test_jsonl(images: Path, tmp_path: Path, toml: Callable[..., Path], encode: Run) -> None:
    rows = [f'{{"image_path": "{images.as_posix()}/a{i}.png", "caption": "row {i}"}}' for i in range(2)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), "utf-8")
    config = toml(image_jsonl_file=f"'{tmp_path / 'rows.jsonl'}'", cache_directory=f"'{tmp_path / 'rows'}'")
    assert "loaded 2 images" in encode(config).stderr
    assert len(names(tmp_path / "rows")) == 2


def test_vae_keeps_the_picture(models: dict[str, Path]) -> None:
    vae = wan_encoders.load_vae(str(models["wan_vae"]))
    frames = np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 64 * 96 * 3).reshape(5, 64, 96, 3)
    frames[1:] = 200
    latent = vae.encode(encoders.normalized(frames))
    assert latent.shape == (16, 2, 8, 12)
    decoded = vae.decode(latent)
    assert decoded.shape == frames.shape
    assert abs(int(decoded[0].mean()) - 0) <= 2 and abs(int(decoded[4].mean()) - 200) <= 2


def test_buckets_are_upstreams() -> None:
    selector = BucketSelector((96, 64))
    assert [selector.size_for(size) for size in ((96, 64), (64, 96), (100, 100), (1920, 1080))] == [
        (96, 64),
        (64, 96),
        (64, 80),
        (96, 64),
    ]
    assert BucketSelector((96, 64), True, True).size_for((50, 40)) == (48, 32)
    assert BucketSelector((90, 60), False).size_for((10, 10)) == (90, 60)
