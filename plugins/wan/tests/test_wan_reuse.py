"""What was cached or trained before is handed on, and exactly what has changed is made anew."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CACHES, TEXT, ALL = {"WanLatentCache", "WanTextEncoderCache"}, {"WanTextEncoderCache"}, {
    "WanLatentCache", "WanTextEncoderCache", "WanLoRATrainer",
}  # fmt: skip


def queue(place: Any, models: Any = None, **values: Any) -> Any:
    """Dataset, both caches and the trainer, as a queued graph."""
    path = place.folder / "pictures.toml"
    return place.train(place.caches(path if path.exists() else place.dataset(), models=models), **values)


def started(place: Any) -> Counter[str]:
    return Counter(run.name.split("-")[2] for run in place.started_since())


def test_an_unchanged_graph_starts_no_process_also_in_another_session(place: Any) -> None:
    first = queue(place)
    assert set(started(place)) == ALL
    place.forget()
    again = queue(type(place)(place.folder))
    assert not started(place)
    assert again.lora.path == first.lora.path and again.run.folder == first.run.folder
    assert queue(place).lora.path == first.lora.path
    assert "was trained before" in place.texts[0]


def caption(place: Any) -> None:
    (place.folder / "pictures" / "p1.txt").write_text("another caption", "utf-8")


def picture(place: Any) -> None:
    pictures = place.folder / "pictures"
    (pictures / "p1.png").write_bytes((pictures / "p2.png").read_bytes())


def removed(place: Any) -> None:
    for name in ("p3.png", "p3.txt"):
        (place.folder / "pictures" / name).unlink()


def resolution(place: Any) -> None:
    path = place.folder / "pictures.toml"
    path.write_text(path.read_text("utf-8").replace("[96, 64]", "[64, 64]"), "utf-8")


def vae(place: Any) -> None:
    path = Path(place.models().vae)
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def dit(place: Any) -> None:
    path = Path(place.models().dit)
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def cache_gone(place: Any) -> None:
    next(place.folder.glob("output/musubi/cache/**/*_wan_te.safetensors")).unlink()


def lora_gone(place: Any) -> None:
    next(place.folder.glob("output/models/loras/musubi/*.safetensors")).unlink()


CHANGES: dict[str, tuple[Callable[[Any], None], set[str]]] = {
    "a caption": (caption, ALL),
    "a picture of the same name": (picture, ALL),
    "an item less": (removed, ALL),
    "another resolution": (resolution, ALL),
    "another VAE": (vae, {"WanLatentCache", "WanLoRATrainer"}),
    "another DiT": (dit, {"WanLoRATrainer"}),
    "a cache file deleted": (cache_gone, {"WanTextEncoderCache", "WanLoRATrainer"}),
    "the LoRA deleted": (lora_gone, {"WanLoRATrainer"}),
}


@pytest.mark.parametrize("row", CHANGES)
def test_what_has_changed_is_made_anew(place: Any, row: str) -> None:
    change, expected = CHANGES[row]
    queue(place)
    change(place)
    place.forget()
    assert queue(place).lora.path.is_file()
    assert set(started(place)) == expected


@pytest.mark.parametrize(
    ("values", "again"),
    [
        ({"learning_rate": 0.02}, True),
        ({"seed": 7}, True),
        ({"max_train_epochs": 3}, True),
        ({}, False),
    ],
)
def test_other_training_settings_train_again_and_encode_nothing(
    place: Any, values: dict[str, Any], again: bool
) -> None:
    queue(place)
    place.forget()
    queue(place, training=place.training(**values))
    assert set(started(place)) == ({"WanLoRATrainer"} if again else set())


def test_a_switch_trains_again(place: Any) -> None:
    first = queue(place).lora
    place.forget()
    assert queue(place, train_again=True).lora.path != first.path
    assert started(place) == {"WanLoRATrainer": 1}


def test_speed_and_device_train_nothing_again(place: Any) -> None:
    queue(place)
    place.forget()
    queue(place, memory=place.settings("MemoryOptimizer", blocks_to_swap=4), device="cuda:0")
    assert not started(place)
