"""What a script's results depend on of its musubi-tuner: the code that it imports, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from musubi_nodes.commands.code import code_of
from musubi_nodes.runs.install import Install

FILES = {
    "wan_cache_latents.py": "from musubi_tuner.dataset import config_utils\nimport musubi_tuner.cache_latents\n",
    "cache_latents.py": "def encode():\n    from musubi_tuner.wan.modules.vae import WanVAE\n",
    "dataset/__init__.py": "",
    "dataset/config_utils.py": "from .image_video_dataset import BaseDataset\nimport torch\n",
    "dataset/image_video_dataset.py": "from ..utils import model_utils\n",
    "utils/model_utils.py": "",
    "wan/modules/vae.py": "",
    "wan_train_network.py": "from musubi_tuner.hv_train_network import NetworkTrainer\n",
    "hv_train_network.py": "import importlib\n",
    "networks/lora_wan.py": "from networks import lora\n",
    "networks/lora.py": "",
    "qwen_cache_latents.py": "import musubi_tuner.cache_latents\n",
}
CACHE = {
    "wan_cache_latents.py", "cache_latents.py", "dataset/__init__.py", "dataset/config_utils.py",
    "dataset/image_video_dataset.py", "utils/model_utils.py", "wan/modules/vae.py",
}  # fmt: skip
TRAINER = {"wan_train_network.py", "hv_train_network.py", "networks/lora_wan.py", "networks/lora.py"}


@pytest.fixture
def install(tmp_path: Path, musubi_surroundings: Path) -> Install:
    written(tmp_path / "src" / "musubi_tuner", FILES)
    return Install("small", tmp_path, Path(sys.executable))


def written(package: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, "utf-8")


def codes(install: Install) -> tuple[str, str]:
    """Of the cache script and of the trainer."""
    trainer = install.script("wan_train_network.py")
    return code_of(install, install.script("wan_cache_latents.py")), code_of(install, trainer, ["networks.lora_wan"])


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_counts_for_the_scripts_that_import_it(install: Install, name: str) -> None:
    before = codes(install)
    (install.root / "src" / "musubi_tuner" / name).write_text(f"{FILES[name]}x = 1\n", "utf-8")
    changed = tuple(now != then for now, then in zip(codes(install), before, strict=True))
    assert changed == (name in CACHE, name in TRAINER)


def test_new_scripts_and_new_times_count_for_none(install: Install) -> None:
    before = codes(install)
    package = install.root / "src" / "musubi_tuner"
    written(package, {"new_family.py": "import musubi_tuner.cache_latents\n"})
    for file in package.rglob("*.py"):
        os.utime(file, (1, 1))
    assert codes(install) == before


def test_a_file_that_goes_or_comes_counts(install: Install) -> None:
    before = codes(install)
    package = install.root / "src" / "musubi_tuner"
    (package / "utils" / "model_utils.py").unlink()
    gone = codes(install)
    assert gone[0] != before[0] and gone[1] == before[1]


def test_what_this_python_cannot_read_counts_with_everything_around(install: Install) -> None:
    package = install.root / "src" / "musubi_tuner"
    written(package, {"cache_latents.py": "a newer language\n"})
    before = codes(install)
    written(package, {"networks/lora.py": "x = 1\n"})
    assert codes(install)[0] != before[0]


def test_a_script_without_a_package_is_its_own_code(tmp_path: Path, musubi_surroundings: Path) -> None:
    script = tmp_path / "tool.py"
    script.write_text("import musubi_tuner.nowhere\n", "utf-8")
    install = Install("bare", tmp_path, Path(sys.executable))
    before = code_of(install, script)
    script.write_text("x = 2\n", "utf-8")
    assert code_of(install, script) != before
