from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musubi_nodes.datasets.scan import caches
from musubi_nodes.datasets.scan.scan import scan

Make = Callable[..., Path]


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.safetensors").write_bytes(b"x")


def test_an_items_latent_is_not_mistaken_for_one_with_a_longer_name(
    tmp_path: Path, image: Make, config: Callable
) -> None:
    for name in ("a", "a_b", "c"):
        image(tmp_path / "set" / f"{name}.png", name)
    _touch(tmp_path / "cache0", "a_b_0048x0032_wan", "c_0048x0032_hv", "c_10000x0032_wan", "a_b_wan_te", "c_wan_te")
    settings = config({"image_directory": "set"})
    found = scan(settings)
    assert [path.name for path in caches.missing_latents(found, "wan")] == ["a.png"]
    assert [path.name for path in caches.missing_texts(found, "wan")] == ["a.png"]
    assert [cache.name for _, cache in caches.expected_text_caches(found, "hv")] == [
        "a_hv_te.safetensors", "a_b_hv_te.safetensors", "c_hv_te.safetensors",
    ]  # fmt: skip


def test_clips_and_sections_belong_to_their_video(tmp_path: Path, video: Make, config: Callable) -> None:
    for name in ("v", "v_1", "w"):
        video(tmp_path / "set" / f"{name}.mp4")
    _touch(
        tmp_path / "cache0", "v_00000-005_0096x0064_wan", "v_00004-005_0096x0064_wan", "v_1_00000-037-0000_0096x0064_fp"
    )
    found = scan(config({"video_directory": "set", "target_frames": [5]}))
    assert [len(files) for _, files in caches.latent_caches(found, "wan")] == [2, 0, 0]
    assert [path.name for path in caches.missing_latents(found, "fp")] == ["v.mp4", "w.mp4"]


def test_without_cache_folder_everything_is_missing(tmp_path: Path, image: Make, config: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    found = scan(config({"image_directory": "set"}))
    assert len(caches.missing_latents(found, "wan")) == len(caches.missing_texts(found, "wan")) == 1


def test_cut_off_caches_are_found(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    good, cut, junk = (tmp_path / f"{name}.safetensors" for name in ("good", "cut", "junk"))
    save_file({"latents_1x2x2_float16": np.zeros((4, 1, 2, 2), np.float16)}, good)
    cut.write_bytes(good.read_bytes()[:-1])
    junk.write_bytes(b"<html>")
    assert caches.broken_caches([good, cut, junk, tmp_path / "none"]) == (cut, junk, tmp_path / "none")
