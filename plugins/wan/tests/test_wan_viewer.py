"""The viewer tells what is cached as the cache nodes judge it."""

from __future__ import annotations

import json
from typing import Any

import pytest


def seen(place: Any) -> str:
    """What the viewer says of the dataset as it is now."""
    return place.run("DatasetViewer", dataset=place.load(place.folder / "pictures.toml")).text


@pytest.fixture
def cached(place: Any) -> Any:
    """A workplace whose four pictures are cached."""
    place.caches(place.dataset())
    assert "cached for Wan: 4 of 4 latents, 4 of 4 texts\n" in seen(place)
    return place


def test_the_cache_of_another_caption_is_stale(cached: Any) -> None:
    (cached.folder / "pictures" / "p1.txt").write_text("another caption", "utf-8")
    text = seen(cached)
    assert "cached for Wan: 4 of 4 latents, 3 of 4 texts (stale: 1)" in text
    assert "stale texts for Wan, which the cache node makes anew: p1.png" in text


def test_the_cache_of_another_picture_is_stale(cached: Any) -> None:
    pictures = cached.folder / "pictures"
    (pictures / "p1.png").write_bytes((pictures / "p2.png").read_bytes())
    assert "cached for Wan: 3 of 4 latents (stale: 1), 4 of 4 texts" in seen(cached)


def test_latents_of_another_resolution_are_stale(cached: Any) -> None:
    path = cached.folder / "pictures.toml"
    path.write_text(path.read_text("utf-8").replace("[96, 64]", "[64, 64]"), "utf-8")
    assert "cached for Wan: 0 of 4 latents (stale: 4), 4 of 4 texts" in seen(cached)
    cached.caches(path)
    assert "cached for Wan: 4 of 4 latents, 4 of 4 texts\n" in seen(cached)


def test_a_cache_file_that_is_gone_is_missing_and_a_damaged_one_is_stale(cached: Any) -> None:
    caches = cached.folder / "output" / "musubi" / "cache"
    next(caches.glob("**/p1*_wan.safetensors")).unlink()
    damaged = next(caches.glob("**/p2*_wan.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-40])
    text = seen(cached)
    assert "cached for Wan: 2 of 4 latents (stale: 1), 4 of 4 texts" in text
    assert "no latents for Wan: p1.png" in text and "anew: p2.png" in text


def test_a_video_that_has_lost_one_of_its_clips_is_stale(place: Any) -> None:
    import numpy as np

    from musubi_nodes.media.frames import save_video

    folder = place.folder / "clips"
    folder.mkdir()
    save_video(np.full((10, 64, 96, 3), 0.5, np.float32), folder / "a.mp4", 16)
    (folder / "a.txt").write_text("a dog", "utf-8")
    toml = place.folder / "pictures.toml"
    keys = "target_frames = [5]\nframe_extraction = 'chunk'\nresolution = [96, 64]\ncaption_extension = '.txt'\n"
    toml.write_text(f"[[datasets]]\nvideo_directory = 'clips'\n{keys}", "utf-8")
    place.caches(toml)
    assert "cached for Wan: 1 of 1 latents, 1 of 1 texts\n" in seen(place)
    next(place.folder.glob("output/musubi/cache/**/a_00005*_wan.safetensors")).unlink()
    assert "cached for Wan: 0 of 1 latents (stale: 1), 1 of 1 texts" in seen(place)


def test_the_latent_cache_tells_of_videos_with_another_frame_rate_than_the_models(place: Any) -> None:
    """musubi-tuner takes every frame without source_fps: twice as many a second are learned at half the speed."""
    import numpy as np

    from musubi_nodes.media.frames import save_video

    folder = place.folder / "clips"
    folder.mkdir()
    for name, fps in {"fast": 60, "right": 16}.items():
        save_video(np.full((10, 64, 96, 3), 0.5, np.float32), folder / f"{name}.mp4", fps)
        (folder / f"{name}.txt").write_text("a dog", "utf-8")
    toml = place.folder / "pictures.toml"
    keys = "target_frames = [5]\nresolution = [96, 64]\ncaption_extension = '.txt'\n"
    toml.write_text(f"[[datasets]]\nvideo_directory = 'clips'\n{keys}", "utf-8")
    place.run("WanLatentCache", dataset=place.load(toml), models=place.models())
    (line,) = [text for text in place.texts if "fast.mp4" in text]
    assert "source_fps" in line and "right.mp4" not in line


def test_one_folder_at_two_resolutions_and_a_list_each_have_caches_of_their_own(place: Any) -> None:
    place.dataset()
    pictures = place.folder / "pictures"
    listed = place.folder / "list.jsonl"
    listed.write_text(json.dumps({"image_path": str(pictures / "p0.png"), "caption": "x"}), "utf-8")
    chain: Any = None
    for source, width in ((pictures, 96), (pictures, 64), (listed, 96)):
        values = {"source": str(source), "width": width, "height": 64, "previous": chain}
        chain = place.run("DatasetConfigEditor", **values).dataset
    models = place.models()
    latents = place.run("WanLatentCache", dataset=chain, models=models).latent_cache
    assert len(list(place.folder.glob("output/musubi/cache/**/*_wan.safetensors"))) == 9
    assert len({part.cache_directory for part in latents.dataset.config.datasets}) == 3
    text = place.run("DatasetViewer", dataset=chain).text
    assert text.count("4 of 4 latents") == 2 and text.count("1 of 1 latents") == 1
