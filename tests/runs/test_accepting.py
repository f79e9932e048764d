"""A script that ends well may still have made something that is not good."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from musubi_nodes.families.lora import check_trained
from musubi_nodes.runs.command import Command
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.run import run
from musubi_nodes.testing.errors import fails

SAVE = """
import sys
import numpy as np
from safetensors.numpy import save
value = {"nan": np.nan, "zero": 0.0}.get(sys.argv[1], 1.0)
halves = {f"lora_unet_blocks_0.lora_{half}.weight": np.full((4, 4), value, np.float32) for half in ("down", "up")}
data = save(halves)
open(sys.argv[2], "wb").write(data[:-40] if sys.argv[1] == "half" else data)
"""


def train(runs: Any, kind: str) -> None:
    made = runs.folder.out / "my_lora.safetensors"
    made.parent.mkdir(exist_ok=True)
    argv = [sys.executable, "-c", SAVE, kind, str(made)]
    command = Command(script="train.py", argv=argv, cwd=runs.tmp_path, environment=dict(os.environ))
    accept = lambda outcome: check_trained(made, runs.folder.log)  # noqa: E731
    run(command, runs.folder, LocalProcess(), runs.watcher, accept=accept)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("half", "file-truncated"), ("nan", "lora-not-finite"), ("zero", "lora-all-zero")],
)
def test_a_lora_that_is_not_good_is_an_error_with_its_cause_and_the_log(runs: Any, kind: str, code: str) -> None:
    """Saving is not atomic: killed while it saves, a trainer leaves half a file under its final name (v0.3.4)."""
    with fails(code) as caught:
        train(runs, kind)
    assert caught.value.why and caught.value.fix and caught.value.log == runs.folder.log
    assert runs.folder.status()["status"] == "failed"


def test_a_good_one_is_accepted(runs: Any) -> None:
    train(runs, "good")
    assert runs.folder.status()["status"] == "done"
