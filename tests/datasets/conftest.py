from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from musubi_nodes.datasets.config.toml import DatasetConfig, parse


@pytest.fixture
def image() -> Callable[..., Path]:
    """Writes a small image, and its caption if one is given."""

    def make(path: Path, caption: str | None = None, size: tuple[int, int] = (48, 32)) -> Path:
        from PIL import Image

        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path, format="JPEG" if path.suffix.lower() == ".jpg" else "PNG")
        if caption is not None:
            path.with_suffix(".txt").write_text(caption, encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def _clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, float, str], Path]:
    import imageio_ffmpeg

    folder = tmp_path_factory.mktemp("clips")

    @cache
    def make(frames: int, fps: float, size: str) -> Path:
        path = folder / f"{frames}-{fps}-{size}.mp4"
        source = f"testsrc=size={size}:rate={fps}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", source]
        subprocess.run([*command, "-frames:v", str(frames), "-c:v", "mpeg4", str(path)], check=True)
        return path

    return make


@pytest.fixture
def video(_clip: Callable[[int, float, str], Path]) -> Callable[..., Path]:
    """Copies a real short video to a path, with its caption if one is given."""

    def make(path: Path, frames: int = 9, fps: float = 16, caption: str | None = "a ball", size: str = "96x64") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_clip(frames, fps, size), path)
        if caption is not None:
            path.with_suffix(".txt").write_text(caption, encoding="utf-8")
        return path

    return make


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DatasetConfig]:
    """A configuration of the given [[datasets]], with captions in .txt and a cache folder each."""

    def make(*datasets: dict[str, object], **general: object) -> DatasetConfig:
        shared = {"caption_extension": ".txt", "resolution": 64, "enable_bucket": True, **general}
        tables = [{"cache_directory": f"cache{number}", **table} for number, table in enumerate(datasets)]
        return parse({"general": shared, "datasets": tables}, base=tmp_path)

    return make
