"""A place whose musubi-tuner misbehaves on demand, and what must hold after every fault."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomlkit

from musubi_nodes.config import load_config
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.lora import check_trained
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.workplace import Workplace

MODELS = {"dit": "wan_t2v_14b.safetensors", "vae": "wan_vae.safetensors", "t5": "umt5_xxl.safetensors"}
SMALL = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
TRAINER = "wan_train_network.py"
MARK = "MUSUBI_FAULTS_TEST"
"""This variable of an install tells the processes of one test from all others on the machine."""


class FaultyPlace(Workplace):
    """Runs nodes on the install ``practice``, which is well, or on ``faulty``, which is the same but for its fault."""

    def caches(self, install: str = "practice") -> dict[str, Any]:
        toml = self.folder / "pictures.toml"
        dataset = self.load(toml if toml.exists() else self.dataset())
        models = self.run("WanModels", install=install, **MODELS).models
        latent = self.run("WanLatentCache", dataset=dataset, models=models).latent_cache
        text = self.run("WanTextEncoderCache", dataset=dataset, models=models).text_cache
        return {"models": models, "latent_cache": latent, "text_cache": text}

    def train(self, install: str = "practice", **values: Any) -> Any:
        """Both caches, made by the sound install, and a LoRA."""
        training = self.run("TrainingConfig", max_train_epochs=2, learning_rate=0.01).training
        models = self.run("WanModels", install=install, **MODELS).models
        return self.run("WanLoRATrainer", **{**self.caches(), "models": models, "training": training, **values})

    def generate(self, install: str = "practice", **values: Any) -> Any:
        """A small video."""
        models = self.run("WanModels", install=install, **MODELS).models
        return self.run("WanGenerator", models=models, prompt="a square", **{**SMALL, **values})

    @property
    def newest(self) -> RunFolder:
        """The run that was started last."""
        return RunFolder(self.started()[-1])

    def processes(self) -> list[psutil.Process]:
        """What an install of this test has started and is alive."""
        found = []
        for process in psutil.process_iter(["environ"]):
            if (process.info["environ"] or {}).get(MARK) == str(self.folder):
                found.append(process)
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def survived(self, error: BaseException | None = None, *, log: bool = True) -> None:
        """No process is left, nothing corrupt was handed on, there is one clear message, and the next run works.

        ``log``: the message names the log; it cannot where nothing was started, or the run folder is gone.
        """
        assert self.processes() == []
        self.handed_on_is_sound()
        if error is not None:
            one_clear_message(error, log)
        lora = self.train(train_again=True).lora
        check_trained(lora.path, Path())
        assert self.processes() == []

    def handed_on_is_sound(self) -> None:
        """Everything that was published or recorded can be used, and nothing half-written lies about."""
        output = self.host.output_folder
        for path in self.published():
            check_trained(path, Path())
        assert not [path for path in output.rglob("*.part") if path.is_file()]
        for record in output.glob("musubi/trained/*.json"):
            assert all((output / name).is_file() for name in json.loads(record.read_text("utf-8"))["files"])


def one_clear_message(error: BaseException, log: bool) -> None:
    """What happened, what to do, where to read more; no traceback of Python."""
    assert isinstance(error, MusubiError), repr(error)
    assert error.what and error.fix, str(error)
    assert "Traceback" not in str(error) and len(str(error)) < 2_000
    assert not log or (error.log is not None and error.log.is_file()), str(error)


def configure(surroundings: Path, folder: Path, fault: str, root: Path | None = None) -> None:
    """Write the ``config.toml`` of both installs; ``root``: another checkout than the miniature's own."""
    from musubi_nodes_miniature import CHECKOUT, ONE_THREAD
    from musubi_nodes_miniature.toys import toy_models

    environment = {MARK: str(folder), **ONE_THREAD}
    sound = {"root": str(root or CHECKOUT), "python": sys.executable, "cpu": True, "environment": environment}
    faulty = {**sound, "environment": {**environment, "MUSUBI_MINIATURE_MISBEHAVE": fault}}
    models = {kind: [str(path)] for kind, path in toy_models().items()}
    config = {"install": "practice", "installs": {"practice": sound, "faulty": faulty}, "models": models}
    (surroundings / "config.toml").write_text(tomlkit.dumps(config), "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()


@pytest.fixture
def faulty(tmp_path: Path, own_surroundings: Path) -> Any:
    """Makes a place whose install ``faulty`` has the fault that is given; its processes end with the test."""
    made: list[FaultyPlace] = []

    def make(fault: str = "", root: Path | None = None, folder: Path = tmp_path) -> FaultyPlace:
        configure(own_surroundings, folder, fault, root)
        made.append(FaultyPlace(folder))
        return made[-1]

    yield make
    for place in made:
        for process in place.processes():
            process.kill()


@pytest.fixture
def host_environment() -> dict[str, str]:
    """For processes that import this project themselves."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
