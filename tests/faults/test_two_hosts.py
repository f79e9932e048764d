"""Two programs work in one output folder, on one dataset."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.faults.conftest import MODELS

from musubi_nodes.families.caches.locks import exclusive_cache_lock, shared_cache_lock
from musubi_nodes.families.context import Context
from musubi_nodes.families.lora import check_trained
from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.demo import workflow


class GaveUp(Exception):
    """What the user does."""


def test_both_queue_the_same_and_both_get_their_lora(faulty: Any, host_environment: dict[str, str]) -> None:
    place = faulty()
    graph = workflow(place.dataset(), "miniature", "wan")
    graph["2"]["inputs"] |= MODELS
    del graph["7"]
    path = write_json(place.folder / "workflow.json", graph)
    command = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli", "run", str(path), "--output"]
    output = str(place.host.output_folder)
    hosts = [
        subprocess.Popen([*command, output], env=host_environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    said = [host.communicate(timeout=120)[1].decode() for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], said
    names = [run.name.rsplit("-", 2)[1] for run in place.started()]
    assert names.count("WanLatentCache") == 1 and names.count("WanTextEncoderCache") == 1  # who came second found them
    assert {json.loads((run / "status.json").read_text("utf-8"))["status"] for run in place.started()} == {"done"}
    for lora in place.published():
        check_trained(lora, place.folder)
    assert 1 <= len(place.published()) == names.count("WanLoRATrainer")
    place.survived()


@pytest.mark.parametrize("what", ["caching", "training"])
def test_while_another_uses_the_caches_a_run_waits_and_says_so(faulty: Any, what: str) -> None:
    place = faulty()
    place.caches()
    (place.folder / "pictures" / "p1.txt").write_text("another caption", "utf-8")
    shown: list[str] = []

    def look() -> None:
        if any("waiting" in text for text in shown):
            raise GaveUp

    other, dataset = Context(place.host, place.services), place.caches() if what == "training" else None
    lock = exclusive_cache_lock if what == "training" else shared_cache_lock
    known = dataset["latent_cache"].dataset if dataset else cached(place)
    with lock(known, other, "another program"):
        place.host.progress = lambda node_id, now: shown.append(now.text())
        place.host.raise_if_interrupted = look
        place.forget()
        with pytest.raises(GaveUp):
            place.train() if what == "training" else place.caches()
    assert shown[-1] == "waiting: another run uses the caches of pictures"
    assert place.started_since() == []
    del place.host.progress, place.host.raise_if_interrupted
    place.survived()


def cached(place: Any) -> Any:
    from musubi_nodes.families.caches.node import cached_dataset

    return cached_dataset(place.load(place.folder / "pictures.toml"), place.host.output_folder, "wan")


def test_trainings_of_two_programs_share_their_caches(faulty: Any) -> None:
    place = faulty()
    place.caches()
    with shared_cache_lock(cached(place), Context(place.host, place.services), "another program"):
        assert place.train().lora
    place.survived()
