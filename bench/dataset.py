"""A large dataset in no time: links to a few pictures, each with a caption file of its own."""

from __future__ import annotations

import os
from pathlib import Path

from musubi_nodes.datasets.files import captions, facts

PICTURES = 48
SIZES = ((1024, 768), (1280, 720), (1536, 1024), (768, 1152))
FORMATS = ("png", "jpg", "webp")


def pictures(folder: Path) -> list[Path]:
    """Images of one to two megapixels in three formats."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    made = []
    for number in range(PICTURES):
        width, height = SIZES[number % len(SIZES)]
        coarse = np.random.default_rng(number).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
        path = folder / f"{number}.{FORMATS[number % len(FORMATS)]}"
        Image.fromarray(coarse).resize((width, height)).save(path)
        made.append(path)
    return made


def small_pictures(folder: Path, count: int) -> list[Path]:
    """PNG of 24 pixels and of no two the same content; four share a size in bytes."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    made = []
    for number in range(count):
        path = folder / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 255, (24 + number % 7, 24, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        with path.open("ab") as file:  # readers stop at the end that PNG tells
            file.write(b"x" * (3_000 + number // 4 - path.stat().st_size))
        made.append(path)
    return made


def link_pictures(folder: Path, made: list[Path], count: int) -> Path:
    """``count`` links to the pictures, each with a caption file of its own."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = made[number % len(made)]
        os.link(picture, folder / f"image_{number:06d}{picture.suffix}")
        (folder / f"image_{number:06d}.txt").write_text(f"a photo of thing number {number}, seen from above", "utf-8")
    return folder


def linked_dataset(folder: Path, made: list[Path], count: int) -> Path:
    """The TOML of such a folder."""
    link_pictures(folder, made, count)
    path = folder.with_suffix(".toml")
    general = 'resolution = 960\ncaption_extension = ".txt"\nenable_bucket = true\n'
    path.write_text(f"[general]\n{general}\n[[datasets]]\nimage_directory = '{folder.as_posix()}'\n", "utf-8")
    return path


def forget_media() -> None:
    """What a new process has not read yet."""
    captions.ANSWERS.forget()
    facts.ANSWERS.forget()
