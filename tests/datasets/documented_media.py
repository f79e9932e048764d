"""The media that the TOMLs in ``documented/`` name: musubi-tuner's documented examples with names of our own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from musubi_nodes.media.frames import save_video

TOMLS = sorted((Path(__file__).parent / "documented").glob("*.toml"))
FRAMES = 49


def make_media(folder: Path) -> None:
    """Pictures, layers, controls, videos and JSONL files, with captions."""
    for name in ("one", "two"):
        _picture(folder / "images" / f"{name}.png", caption=name)
        _picture(folder / "layers" / f"{name}.png", caption=name)
        _picture(folder / "controls" / f"{name}.png")
        for number in (1, 2):
            _picture(folder / "layers" / f"{name}_{number}.png")
            _picture(folder / "two_controls" / f"{name}_{number}.png")
    for place in ("videos", "videos2", "video_controls"):
        _video(folder / place / "clip.mp4", folder)
    images = {name: str(folder / "images" / f"{name}.png") for name in ("one", "two")}
    _jsonl(folder / "images.jsonl", [{"image_path": path, "caption": name} for name, path in images.items()])
    layers = {n: str(folder / "layers" / f"one{end}.png") for n, end in enumerate(("", "_1", "_2"))}
    _jsonl(folder / "layers.jsonl", [{**{f"image_path_{n}": p for n, p in layers.items()}, "caption": "one"}])
    control = str(folder / "controls" / "one.png")
    pair = {"control_path_0": control, "control_path_1": control}
    _jsonl(folder / "controls.jsonl", [{"image_path": images["one"], **pair, "caption": "one"}])
    _jsonl(folder / "videos.jsonl", [{"video_path": str(folder / "videos" / "clip.mp4"), "caption": "a ball"}])


def _picture(path: Path, caption: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 64), (90, 140, 200)).save(path)
    if caption:
        path.with_suffix(".txt").write_text(caption, "utf-8")


def _video(path: Path, folder: Path) -> None:
    made = folder / "clip.mp4"
    if not made.exists():
        save_video(np.full((FRAMES, 64, 96, 3), 0.4, np.float32), made, 30)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(made, path)
    path.with_suffix(".txt").write_text("a ball", "utf-8")


def _jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
