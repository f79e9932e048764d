"""Conversion of media from and to ComfyUI's types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from musubi_nodes.media.audio import Audio
from musubi_nodes.media.frames import VideoFile, as_array, save_video


def from_comfyui(socket: str, value: Any) -> Any:
    if value is None or not socket.isupper():
        return value
    if "VIDEO" in socket and hasattr(value, "get_components"):
        return _video_file(value)
    if "IMAGE" in socket and hasattr(value, "cpu"):
        return value.cpu().numpy()
    if socket == "AUDIO" and isinstance(value, Mapping):
        return _audio(value)
    return value


def to_comfyui(socket: str, value: Any) -> Any:
    """Convert a value to ComfyUI; VIDEO stays undecoded."""
    if value is None:
        return None
    if socket == "VIDEO":
        from comfy_api.input_impl import VideoFromFile

        return VideoFromFile(str(save_video(value, _temporary(".mp4"), 0)))
    if socket == "IMAGE":
        import torch

        return torch.from_numpy(as_array(value))
    if socket == "AUDIO":
        import torch

        return {"waveform": torch.from_numpy(value.samples)[None], "sample_rate": value.rate}
    return value


def _audio(value: Mapping[str, Any]) -> Audio:
    """Return the first item of the batch."""
    import numpy as np

    waveform = value["waveform"].detach().float().cpu().numpy()
    return Audio(np.ascontiguousarray(waveform[0] if waveform.ndim == 3 else waveform), int(value["sample_rate"]))


def _video_file(video: Any) -> VideoFile:
    """Return a VIDEO's file, or write a visually lossless one."""
    from comfy_api.input_impl import VideoFromFile

    if not isinstance(video, VideoFromFile):
        parts = video.get_components()
        audio = _audio(parts.audio) if parts.audio else None
        frames = parts.images.cpu().numpy()
        return VideoFile(save_video(frames, _temporary(".mp4"), float(parts.frame_rate), audio))
    source = video.get_stream_source()
    if isinstance(source, str):
        return VideoFile(Path(source))
    path = _temporary(".mp4")
    path.write_bytes(source.getbuffer())
    return VideoFile(path)


def _temporary(suffix: str) -> Path:
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"musubi-{uuid4().hex[:12]}{suffix}"
