"""The demo's dataset of coloured balls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from musubi_nodes.files import write_text

SIZE = (192, 128)
FPS = 30
COLOURS = {"red": (200, 60, 50), "green": (70, 160, 80), "blue": (60, 90, 190), "yellow": (220, 190, 70)}


def make_dataset(
    folder: Path, frames: int = 1, keys: Mapping[str, object] | None = None, size: tuple[int, int] = SIZE
) -> Path:
    """Write four captioned pictures (``frames`` is 1) or videos.

    Returns the dataset TOML; its table contains ``keys``. ``size`` is [width, height] in pixels.
    """
    import tomlkit

    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(COLOURS):
        write_text(folder / f"{name}_ball.txt", f"a {name} ball on a white table")
        _write(folder / f"{name}_ball", [picture.resize(size) for picture in _pictures(number, name, frames)])
    kind = "image_directory" if frames == 1 else "video_directory"
    table = {kind: folder.as_posix(), **(keys or {})}
    general = {"resolution": list(size), "caption_extension": ".txt", "batch_size": 1, "enable_bucket": True}
    return write_text(folder / "demo.toml", tomlkit.dumps({"general": general, "datasets": [table]}))


def first_frame(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}_first_frame.png")
    next(_pictures(0, "red", 1)).save(path)
    return path


def _pictures(number: int, name: str, frames: int) -> Iterator[Any]:
    from PIL import Image, ImageDraw

    for frame in range(frames):
        picture = Image.new("RGB", SIZE, (235, 232, 225))
        left = 24 + 22 * number + 3 * frame
        ImageDraw.Draw(picture).ellipse((left, 34, left + 64, 98), fill=COLOURS[name])
        yield picture


def _write(path: Path, pictures: list[Any]) -> None:
    if len(pictures) == 1:
        pictures[0].save(path.with_suffix(".png"))
        return
    import numpy as np

    from musubi_nodes.media.frames import save_video

    save_video(np.stack([np.asarray(p, np.float32) / 255 for p in pictures]), path.with_suffix(".mp4"), FPS)
