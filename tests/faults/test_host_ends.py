"""The host of a training ends in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.conftest import MODELS

from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.demo import workflow
from musubi_nodes.runs.record.folder import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def queued(place: Any, name: str = "workflow.json") -> Any:
    """A training that takes minutes, as a workflow file."""
    toml = place.folder / "pictures.toml"
    graph = workflow(toml if toml.exists() else place.dataset(), "miniature", "wan")
    graph["2"]["inputs"] |= MODELS
    graph["5"]["inputs"]["max_train_epochs"] = 50_000
    del graph["7"]
    return write_json(place.folder / name, graph)


def start(place: Any, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = ["-m", "musubi_nodes.hosts.terminal.cli", "run", str(queued(place)), "--output"]
    output = str(place.host.output_folder)
    return subprocess.Popen([sys.executable, *command, output], env=environment, stderr=subprocess.PIPE)


def trains(place: Any) -> bool:
    return any(file.stat().st_size for file in place.folder.glob("output/musubi/runs/*Trainer*/metrics.jsonl"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_training_ends_with_its_host(
    faulty: Any, host_environment: dict[str, str], until: Callable[..., bool], name: str
) -> None:
    place = faulty()
    host = start(place, host_environment)
    assert until(lambda: trains(place)) and place.processes()
    host.send_signal(getattr(signal, name))
    _, said = host.communicate(timeout=20)
    assert until(lambda: not place.processes(), 2)
    run = next(place.folder.glob("output/musubi/runs/*Trainer*"))
    assert RunFolder(run).status()["status"] == ("failed" if name == "SIGKILL" else "cancelled")
    assert name == "SIGKILL" or (b"cancelled" in said and b"Traceback" not in said)
    assert place.published() == []
    place.survived()
