"""musubi-tuner's scripts as their documentation calls them: a shell's work, without any of our code."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import tomli

LAUNCH = (
    "-m accelerate.commands.launch --num_processes 1 --num_machines 1 --dynamo_backend no "
    "--num_cpu_threads_per_process 1 --mixed_precision bf16 --cpu"
)
FIT = (
    "--sdpa --mixed_precision bf16 --optimizer_type AdamW --learning_rate 1e-3 --gradient_checkpointing "
    "--max_data_loader_n_workers 1 --persistent_data_loader_workers --network_dim 4 --timestep_sampling shift "
    "--max_train_epochs 2 --save_every_n_epochs 1 --seed 42"
)


class Bare:
    """Runs scripts of the install in ``config`` (a config.toml); what they make lies in ``folder``."""

    def __init__(self, config: str, folder: Path) -> None:
        read = tomli.loads(config)
        install = read["installs"][read["install"]]
        self.folder, self.root = folder, Path(install["root"])
        self.python = install.get("python", "python")
        source = os.pathsep.join([install["environment"]["PYTHONPATH"], str(self.root / "src")])
        self.environment = {**os.environ, **install["environment"], "PYTHONPATH": source}
        self.models = {file.name: file for folders in read["models"].values() for file in Path(folders[0]).iterdir()}
        folder.mkdir(parents=True)

    def run(self, script: str, options: str, launch: str = "") -> None:
        """``python [launch] script options``; a word NAME.safetensors that is a toy model becomes its path."""
        words = [str(self.models.get(word, word)) for word in options.split()]
        command = [self.python, *launch.split(), str(self.root / "src" / "musubi_tuner" / script), *words]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    def train(self, script: str, options: str) -> None:
        """The script under accelerate, with the options of a short training."""
        self.run(script, f"{options} {FIT}", LAUNCH)

    def dataset(self, source: Path) -> tuple[Path, Path]:
        """A copy of a dataset TOML with its own cache folder, and that folder."""
        import tomlkit

        read: dict[str, Any] = tomli.loads(source.read_text("utf-8"))
        caches = self.folder / "caches"
        read["datasets"][0]["cache_directory"] = caches.as_posix()
        path = self.folder / "dataset.toml"
        path.write_text(tomlkit.dumps(read), "utf-8")
        return path, caches


VOLATILE = {"ss_session_id", "ss_training_started_at", "ss_training_finished_at", "modelspec.date"}


def described(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors (type, shape) and metadata of a safetensors file, read without our code; times are left out.

    The metadata's sshs_model_hash stays: where it is the same, every weight is.
    """
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    metadata = {name: _plain(text) for name, text in header.pop("__metadata__", {}).items() if name not in VOLATILE}
    return {name: (tensor["dtype"], tensor["shape"]) for name, tensor in header.items()}, metadata


def _plain(text: str) -> str | float:
    """Numbers as numbers: ``1`` and ``1.0`` are the same setting."""
    try:
        return float(text)
    except ValueError:
        return text
