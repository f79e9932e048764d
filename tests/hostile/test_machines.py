"""Processes that train together trust each other: only the configuration says with whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.every_node import every_node
from tests.hostile.world import World

from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.training.trainer import Trainer
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.hostile import HOSTILE, assert_clear

TRAINERS = [node for node in every_node() if issubclass(node, Trainer)]


@pytest.fixture
def foreseen(tmp_path: Path) -> Callable[..., None]:
    """Look at a trainer's widgets as they are looked at when a workflow is queued."""
    host, services = World(tmp_path).host, plugins()

    def look(node: Any, address: str, *machines: str, **counts: int) -> None:
        services.config = Config(machines=list(machines))
        values = {"num_machines": 1, "main_process_ip": address, **counts}
        node().validate(values, set(), Context(host, services))

    return look


@pytest.mark.parametrize("node", TRAINERS, ids=lambda node: node.id)
def test_a_workflow_does_not_choose_whom_a_training_talks_to(node: Any, foreseen: Callable[..., None]) -> None:
    for address in ("10.0.0.1", "host.example", "localhost", *HOSTILE.values()):
        with pytest.raises(MusubiError, match="main_process_ip") as caught:
            foreseen(node, address, "10.0.0.2")
        assert_clear(caught.value)


@pytest.mark.parametrize("node", TRAINERS, ids=lambda node: node.id)
def test_several_machines_need_the_address_of_a_configured_one(node: Any, foreseen: Callable[..., None]) -> None:
    for machines in ([], ["10.0.0.2"]):
        with pytest.raises(MusubiError, match="main_process_ip") as caught:
            foreseen(node, "", *machines, num_machines=2)
        assert_clear(caught.value)
    foreseen(node, "10.0.0.2", "10.0.0.2", num_machines=2)


@pytest.mark.parametrize(("processes", "machines", "rank"), [(1, 2, 0), (3, 2, 0), (2, 2, 2), (1, 1, 1)])
def test_counts_that_accelerate_cannot_share_out_are_refused(
    processes: int, machines: int, rank: int, foreseen: Callable[..., None]
) -> None:
    counts = {"num_processes": processes, "num_machines": machines, "machine_rank": rank}
    with pytest.raises(MusubiError) as caught:
        foreseen(TRAINERS[0], "10.0.0.2", "10.0.0.2", **counts)
    assert_clear(caught.value)


def test_a_configured_machine_may_lead_and_none_is_needed(foreseen: Callable[..., None]) -> None:
    foreseen(TRAINERS[0], "10.0.0.2", "10.0.0.2")
    foreseen(TRAINERS[0], "")
