"""What tests of picture families share: control pictures, samples, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.testing.workplace import Workplace

CONTROLS = "control_directory = '{folder}/../controls'\n"
SMALL = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}


def controls(place: Workplace, count: int, each: int = 1) -> None:
    """Control pictures for the items of the dataset."""
    folder = place.folder / "controls"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        for index in range(each):
            name = f"p{number}_{index}.png" if each > 1 else f"p{number}.png"
            Image.new("RGB", (96, 64), (50 * number, 60 * index, 90)).save(folder / name)


def shown(*paths: Path) -> ImageFiles:
    return ImageFiles(paths)


def pixels(images: Any) -> list[bytes]:
    return [frame.tobytes() for frame in images.frames()]


def sizes(images: Any) -> list[tuple[int, ...]]:
    return [frame.shape for frame in images.frames()]


def samples(place: Workplace, **values: Any) -> Any:
    small = {"sample_width": 96, "sample_height": 64, "sample_steps": 2, "sample_prompts": "a square"}
    return place.run("SamplingConfig", sample_every_n_epochs=1, **{**small, **values}).sampling


def sampled(made: Any) -> list[Path]:
    return list((made.run.folder / "out" / "sample").glob("*.png"))
