"""The subgraph blueprints: up to date, whole, and the same workflow as the example that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tools import blueprints, canvas

from musubi_nodes.plugins.manager import plugins

FILES = dict(blueprints.files())
NODES = {node.id: node for node in plugins().nodes}


def subgraph(name: str) -> Any:
    return blueprints.build(name)["definitions"]["subgraphs"][0]


def test_the_committed_files_have_not_drifted() -> None:
    there = {path: path.read_text("utf-8") for path in blueprints.FOLDER.glob("*.json")}
    assert there == FILES, "run: python -m tools.blueprints"


def test_ids_are_each_ones_own() -> None:
    ids = [each["id"] for name in blueprints.BLUEPRINTS for each in (blueprints.build(name), subgraph(name))]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", blueprints.BLUEPRINTS)
def test_each_end_of_a_link_knows_it(name: str) -> None:
    made = subgraph(name)
    nodes = {node["id"]: node for node in made["nodes"]}
    starts = {id_: [s["links"] or [] for s in node["outputs"]] for id_, node in nodes.items()}
    starts[blueprints.INPUT] = [each["linkIds"] for each in made["inputs"]]
    ends = {id_: [[s["link"]] for s in node["inputs"]] for id_, node in nodes.items()}
    ends[blueprints.OUTPUT] = [each["linkIds"] for each in made["outputs"]]
    for link in made["links"]:
        assert link["id"] in starts[link["origin_id"]][link["origin_slot"]]
        assert link["id"] in ends[link["target_id"]][link["target_slot"]]
    known = {link["id"] for link in made["links"]}
    told = [ids for each in (*starts.values(), *ends.values()) for ids in each]
    assert {id_ for ids in told for id_ in ids} - {None} == known and len(known) == len(made["links"])


@pytest.mark.parametrize("name", blueprints.BLUEPRINTS)
def test_its_nodes_hold_what_the_example_holds(name: str) -> None:
    example = {node["id"]: node for node in canvas.build(blueprints.BLUEPRINTS[name]["example"])["nodes"]}
    for node in subgraph(name)["nodes"]:
        assert node["widgets_values"] == example[node["id"]]["widgets_values"] and node["type"] in NODES


def test_a_file_is_named_as_the_page_shows_it() -> None:
    assert {path.stem for path in FILES} == set(blueprints.BLUEPRINTS)
    assert {Path(path).parent.name for path in FILES} == {"subgraphs"}  # subgraph_manager.py, 0.33
