"""Fixtures: the practice install's scripts as processes, its toy models, and small datasets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[3]
for package, folder in (
    ("musubi_nodes", REPOSITORY / "core" / "src"),
    ("musubi_nodes_miniature", Path(__file__).parents[1] / "src"),
):
    if find_spec(package) is None:
        sys.path.insert(0, str(folder))


@dataclass(frozen=True)
class Result:
    """A finished script; the carriage returns of its bars are kept."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The toy models by file stem, and their folders by kind."""
    from musubi_nodes_miniature.toys import toy_models

    os.environ["MUSUBI_NODES_CACHE"] = str(tmp_path_factory.mktemp("toys"))
    folders = toy_models()
    return folders | {path.stem: path for folder in folders.values() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    from musubi_nodes_miniature import CHECKOUT, ONE_THREAD

    python = {"PYTHONPATH": str(CHECKOUT / "src"), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **ONE_THREAD, **python}


@pytest.fixture(scope="session")
def script(environment: dict[str, str]) -> Callable[..., Result]:
    """Run a script of the miniature: name, then arguments of any type."""
    from musubi_nodes_miniature import CHECKOUT

    def run(name: str, *args: object, launch: bool = False) -> Result:
        command = [sys.executable]
        if launch:
            counts = ("num_processes=1", "num_machines=1", "dynamo_backend=no", "mixed_precision=bf16")
            command += ["-m", "accelerate.commands.launch", *(f"--{count}" for count in counts)]
        command += [str(CHECKOUT / "src" / "musubi_tuner" / name), *map(str, args)]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def draw() -> Callable[[Path, int], None]:
    """Write a coloured picture of 96 x 64 pixels with a square in it."""

    def write(path: Path, number: int) -> None:
        pixels = np.full((64, 96, 3), (40 * number, 90, 200 - 30 * number), np.uint8)
        pixels[10 : 10 + 5 * (number + 1), 20:50] = (220, 60, 40)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    return write


@pytest.fixture
def images(tmp_path: Path, draw: Callable[[Path, int], None]) -> Path:
    """A folder of four captioned images."""
    for number in range(4):
        draw(tmp_path / "img" / f"a{number}.png", number)
        (tmp_path / "img" / f"a{number}.txt").write_text(f"a red square, number {number}", "utf-8")
    return tmp_path / "img"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with one captioned video of 13 frames at 16 fps."""
    import imageio_ffmpeg

    folder = tmp_path / "vid"
    folder.mkdir()
    writer = imageio_ffmpeg.write_frames(str(folder / "v0.mp4"), (96, 64), fps=16, macro_block_size=1)
    writer.send(None)
    for number in range(13):
        writer.send(np.full((64, 96, 3), number * 15, np.uint8))
    writer.close()
    (folder / "v0.txt").write_text("it gets brighter", "utf-8")
    return folder


@pytest.fixture
def toml(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset TOML; keys of the dataset as keyword arguments with TOML text as value."""

    def write(general: str = "", **dataset: str) -> Path:
        general = general or 'resolution = [96, 64]\ncaption_extension = ".txt"\nenable_bucket = true'
        rows = "\n".join(f"{key} = {value}" for key, value in dataset.items())
        path = tmp_path / "dataset.toml"
        path.write_text(f"[general]\n{general}\n\n[[datasets]]\n{rows}\n", "utf-8")
        return path

    return write


@pytest.fixture
def image_toml(toml: Callable[..., Path], images: Path, tmp_path: Path) -> Path:
    return toml(image_directory=f"'{images}'", cache_directory=f"'{tmp_path / 'cache'}'")


@pytest.fixture(scope="session")
def caches() -> dict[str, Path]:
    """The cache folder that the first test made; the others copy it."""
    return {}


@pytest.fixture
def cached(
    image_toml: Path, models: dict[str, Path], script: Callable[..., Result], tmp_path: Path, caches: dict[str, Path]
) -> Path:
    """The dataset TOML of four images whose caches are made."""
    if not caches:
        latents = script("wan_cache_latents.py", "--dataset_config", image_toml, "--vae", models["wan_vae"])
        texts = script("wan_cache_text_encoder_outputs.py", "--dataset_config", image_toml, "--t5", models["umt5_xxl"])
        assert (latents.returncode, texts.returncode) == (0, 0), latents.stderr + texts.stderr
        caches["images"] = Path(shutil.copytree(tmp_path / "cache", models["vae"].parent / "cache"))
    else:
        shutil.copytree(caches["images"], tmp_path / "cache")
    return image_toml


@pytest.fixture
def train(
    cached: Path, models: dict[str, Path], script: Callable[..., Result], tmp_path: Path
) -> Callable[..., Result]:
    """Train on the cached images; arguments are added to, and override, a working command line."""

    def run(*args: object, launch: bool = False, only: bool = False) -> Result:
        base: list[object] = ["--dataset_config", cached, "--dit", models["wan_t2v_14b"], "--seed", 42]
        base += ["--sdpa", "--mixed_precision", "bf16", "--optimizer_type", "AdamW", "--learning_rate", "2e-4"]
        base += ["--network_module", "networks.lora_wan", "--network_dim", 4, "--max_data_loader_n_workers", 0]
        base += ["--output_dir", tmp_path / "out", "--output_name", "toy", "--max_train_steps", 4]
        return script("wan_train_network.py", *([] if only else base), *args, launch=launch)

    return run
