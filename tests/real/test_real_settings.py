"""What the settings send, read by musubi-tuner's own code: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.settings.test_optimizer import chosen

from musubi_nodes.families.settings import Optimizer, Training
from musubi_nodes.families.settings.optimizer_table import TAKES
from musubi_nodes.families.settings.schedulers import SCHEDULERS

pytestmark = pytest.mark.musubi

ASK = """
import argparse, inspect, json, sys
import torch, transformers
from musubi_tuner.training import parser_common
from musubi_tuner.training.trainer_base import NetworkTrainer
from musubi_tuner.utils import sai_model_spec

asked, parser = json.load(sys.stdin), parser_common.setup_parser_common()
found = {"schedulers": {}, "signatures": {}}
for name, words in asked["schedulers"].items():
    args = parser.parse_args(["--max_train_steps=1000", "--learning_rate=0.001", *words])
    try:
        optimizer = NetworkTrainer().get_optimizer(args, [torch.nn.Parameter(torch.zeros(2))])[2]
        NetworkTrainer().get_lr_scheduler(args, optimizer, 1)
    except Exception as error:
        found["schedulers"][name] = f"{type(error).__name__}: {error}"
for name in asked["optimizers"]:
    kind = transformers.optimization.Adafactor if name == "Adafactor" else getattr(torch.optim, name, None)
    if kind is not None:
        found["signatures"][name] = sorted(inspect.signature(kind.__init__).parameters)
found["resolutions"] = [
    sai_model_spec.build_metadata(None, "wan", 0.0, "t", text)["modelspec.resolution"] for text in asked["resolutions"]
]
print(json.dumps(found))
"""


def words(values: dict[str, Any]) -> list[str]:
    """The optimizer's settings as a command line."""
    optimizer = Optimizer(**values)
    sent = {"lr_scheduler": optimizer.lr_scheduler, "lr_scheduler_type": optimizer.lr_scheduler_type}
    sent |= optimizer.options() | {"optimizer_type": optimizer.name.replace("auto", "AdamW")}
    plain = [f"--{name}={value}" for name, value in sent.items() if value is not None and not isinstance(value, list)]
    lists = [[f"--{name}", *value] for name, value in sent.items() if isinstance(value, list) and value]
    return [*plain, *(word for each in lists for word in each)]


@pytest.fixture(scope="module")
def told(real_musubi: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What musubi-tuner's code makes of every scheduler, resolution and optimizer."""
    asked = {
        "schedulers": {name: words(chosen(name, each.fields)) for name, each in SCHEDULERS.items()},
        "optimizers": sorted(TAKES),
        "resolutions": [Training(metadata_reso=text).metadata_reso for text in ("1280x720", "1024")],
    }
    command = [real_musubi.get("python", sys.executable), "-c", ASK]
    environment = {**os.environ, "PYTHONPATH": str(Path(real_musubi["root"]) / "src")}
    done = subprocess.run(command, input=json.dumps(asked), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def test_every_scheduler_takes_what_the_table_sends(told: dict[str, Any]) -> None:
    assert told["schedulers"] == {}


def test_the_arguments_of_pytorchs_optimizers_are_their_own(told: dict[str, Any]) -> None:
    assert {"AdamW", "Adafactor", "SGD"} <= told["signatures"].keys()
    for name, parameters in told["signatures"].items():
        assert set(parameters) - {"self", "params", "lr"} == TAKES[name], name


def test_a_resolution_is_what_the_metadata_tells(told: dict[str, Any]) -> None:
    assert told["resolutions"] == ["1280x720", "1024x1024"]
