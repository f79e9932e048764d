"""Frames and videos between ComfyUI's types and the core's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from musubi_nodes.media.frames import VideoFile


def taken(socket: str, value: Any) -> Any:
    """A value of ComfyUI as nodes take it: IMAGE as numpy array, VIDEO as a file."""
    if value is None or not socket.isupper():
        return value
    if "VIDEO" in socket and hasattr(value, "get_components"):
        return _video_file(value)
    if "IMAGE" in socket and hasattr(value, "cpu"):
        return value.cpu().numpy()
    return value


def given(socket: str, value: Any) -> Any:
    """What a node gives, as ComfyUI's type; VIDEO is decoded by whoever uses it."""
    if value is None:
        return None
    if socket == "VIDEO":
        from comfy_api.input_impl import VideoFromFile

        return VideoFromFile(str(value.path))
    if socket == "IMAGE":
        import torch

        from musubi_nodes.media.frames import as_array

        return torch.from_numpy(as_array(value))
    return value


def _video_file(video: Any) -> VideoFile:
    """The file behind a VIDEO; one that has none is written to a temporary file without loss of frames."""
    source = video.get_stream_source() if hasattr(video, "get_stream_source") else None
    if isinstance(source, str):
        return VideoFile(Path(source))
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".mp4", dir=folder, delete=False) as file:
        path = Path(file.name)
    video.save_to(str(path))
    return VideoFile(path)
