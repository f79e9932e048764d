"""Writes a node's pictures and videos as files for its script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from musubi_nodes.commands.option import marker
from musubi_nodes.families.fields import Clip, Picture
from musubi_nodes.media.frames import Frames, save_png, save_pngs, save_video


def media_fields(model: type[BaseModel]) -> Iterator[tuple[str, Picture | Clip]]:
    """Yield fields that are sent as files, with their marks."""
    for name, declared in model.model_fields.items():
        if mark := marker(declared, Picture) or marker(declared, Clip):
            yield name, mark


def write_media(inputs: BaseModel, folder: Path, fps: float) -> dict[str, Any]:
    """Write the connected inputs into ``folder``; return files by option."""
    given = ((name, mark, getattr(inputs, name)) for name, mark in media_fields(type(inputs)))
    return {mark.option: _written(value, mark, folder, name, fps) for name, mark, value in given if value is not None}


def _written(value: Frames, mark: Picture | Clip, folder: Path, name: str, fps: float) -> str | list[Path]:
    if isinstance(mark, Clip):
        return str(save_video(value, folder / f"{name}.mp4", fps))
    return save_pngs(value, folder, name) if mark.several else str(save_png(value, folder / f"{name}.png"))
