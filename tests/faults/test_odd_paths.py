"""Dataset, output and install lie where people put them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from tests.faults.conftest import MODELS

from musubi_nodes.families.lora import check_trained
from musubi_nodes.testing.errors import fails

PLACES = {
    "blanks": "my AI stuff/  two  blanks",
    "quotes": 'it\'s "mine"' if os.name != "nt" else "it's mine",
    "Japanese": "学習用データ/「猫」とフォルダー",
    "shell": "$HOME & `date`; #1 %TEMP% {x} ~ =",
    "300 characters": "/".join(f"a_rather_long_name_of_a_folder_{number:02d}_" + "x" * 60 for number in range(4)),
}
SMALL = {"prompt": "a square", "width": 96, "height": 64, "video_length": 5, "infer_steps": 2}


def dataset(place: Any, media: Path) -> Path:
    """The TOML of the pictures in ``media``, spelled as TOML spells any text."""
    place.dataset()
    (place.folder / "pictures").rename(media)
    general = {"resolution": [96, 64], "caption_extension": ".txt", "batch_size": 1, "enable_bucket": True}
    table = {"general": general, "datasets": [{"image_directory": str(media)}]}
    path: Path = place.folder / "pictures.toml"
    path.write_text(tomlkit.dumps(table), "utf-8")
    return path


@pytest.mark.parametrize("row", PLACES)
def test_everything_may_lie_there(faulty: Any, tmp_path: Path, row: str) -> None:
    from musubi_nodes_miniature import CHECKOUT

    folder = tmp_path / PLACES[row]
    folder.mkdir(parents=True)
    checkout = shutil.copytree(CHECKOUT, folder / "musubi-tuner", ignore=shutil.ignore_patterns("__pycache__"))
    place = faulty(root=checkout, folder=folder)
    toml = dataset(place, folder / "my pictures")
    assert row != "300 characters" or len(str(toml)) > 300
    trained = place.train()
    check_trained(trained.lora.path, folder)
    models = place.run("WanModels", install="practice", **MODELS).models
    made = place.run("WanGenerator", models=models, lora=trained.lora, **SMALL)
    assert made.video.path.is_relative_to(folder)
    place.survived()


def test_a_dataset_may_lie_in_a_folder_with_brackets(faulty: Any) -> None:
    """musubi-tuner takes them for a pattern in the cache folder only, and that is below the output folder."""
    place = faulty()
    dataset(place, place.folder / "[2024] cats?")
    assert place.train().lora
    place.survived()


def test_an_output_folder_with_brackets_is_refused_before_anything_starts(faulty: Any) -> None:
    place = faulty()
    dataset(place, place.folder / "cats")
    place.host.output_folder = place.folder / "[2024] output"
    with fails("cache-folder-not-found-by-glob", place.host.output_folder) as caught:
        place.train()
    assert place.started() == [] and not list(place.host.output_folder.glob("**/process.json"))
    place.host.output_folder = place.folder / "output"
    place.survived(caught.value, log=False)
