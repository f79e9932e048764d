"""FramePack's nodes on the miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from musubi_nodes.media.frames import ImageFiles, save_video
from musubi_nodes.testing.family_place import FamilyPlace

MODELS = {
    "dit": "miniature/framepack_i2v.safetensors",
    "vae": "miniature/hunyuan_video_vae.safetensors",
    "text_encoder1": "miniature/llava_llama3.safetensors",
    "text_encoder2": "miniature/clip_l.safetensors",
    "image_encoder": "miniature/siglip.safetensors",
}


class FramePackPlace(FamilyPlace):
    prefix = "MusubiTuner_FramePack"
    files = MODELS
    small: ClassVar[dict[str, Any]] = {
        "width": 96,
        "height": 64,
        "infer_steps": 2,
        "latent_window_size": 2,
        "video_frames": 17,
    }

    def videos(self, frames: int = 9, extra: str = "") -> Path:
        """Two short videos with captions; a section has 8 frames."""
        folder = self.folder / "videos"
        folder.mkdir(exist_ok=True)
        for number in range(2):
            noise = np.random.default_rng(number).random((frames, 64, 96, 3)).astype(np.float32)
            save_video(noise, folder / f"v{number}.mp4", 30)
            (folder / f"v{number}.txt").write_text("a square", "utf-8")
        path = self.folder / "videos.toml"
        path.write_text(
            f'[general]\nresolution = [96, 64]\ncaption_extension = ".txt"\nenable_bucket = true\n{extra}\n'
            "[[datasets]]\n"
            f"video_directory = '{folder.as_posix()}'\ntarget_frames = [{frames}]\nfp_latent_window_size = 2\n",
            "utf-8",
        )
        return path

    def picture(self) -> ImageFiles:
        """A picture to begin with."""
        return ImageFiles((self.dataset().with_suffix("") / "p0.png",))

    def parts(self, *prompts: str) -> Any:
        """A chain of sections, one long each."""
        section = None
        for prompt in prompts:
            section = self.run("FramePackSection", prompt=prompt, previous=section).section
        return section

    def caches(self, path: Path | None = None, models: Any = None, **values: Any) -> dict[str, Any]:
        """Of videos, which FramePack is made for."""
        return super().caches(path or self.videos(), models, **values)


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> FramePackPlace:
    """A workplace whose musubi-tuner is the miniature."""
    return FramePackPlace(tmp_path)
