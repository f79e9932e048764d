"""Builds the subgraph blueprints of ``subgraphs/``: ``python -m tools.blueprints``.

An example's canvas file becomes one node, with the inputs and outputs that layouts.toml names. ComfyUI offers them
since 0.3.67 (/global_subgraphs); their format is that of its own blueprints (0.33). A test refuses drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tools import canvas

from musubi_nodes.files import write_text

FOLDER = Path(__file__).resolve().parents[1] / "subgraphs"
BLUEPRINTS: Mapping[str, Mapping[str, Any]] = canvas.LAYOUTS["blueprints"]
HOME = "https://github.com/musubi-nodes/musubi-nodes/subgraphs/"
CATEGORY = "Musubi Tuner"
INPUT, OUTPUT = -10, -20
"""Ids of the nodes that stand for the subgraph's own inputs and outputs."""
WIDTH, ROW, GAP = 120, 20, 80
"""Of these two nodes, and the space beside them."""


def build(name: str) -> dict[str, Any]:
    """The file of a blueprint: a workflow whose only node is the subgraph."""
    wanted = BLUEPRINTS[name]
    drawn = canvas.build(wanted["example"])
    left_out = {int(id_) for id_ in wanted.get("without", ())}
    nodes = {n["id"]: n for n in drawn["nodes"] if n["id"] not in left_out and n["type"] != "MarkdownNote"}
    links = [_link(*link) for link in drawn["links"] if link[1] in nodes and link[3] in nodes]
    _unplug(nodes, {link["id"] for link in links})
    boundary = _Boundary(name, nodes, links)
    inputs = [boundary.input(*_named(each)) for each in wanted["inputs"]]
    outputs = [boundary.output(*_named(each)) for each in wanted["outputs"]]
    left = min(node["pos"][0] for node in nodes.values()) - GAP - WIDTH
    right = max(node["pos"][0] + node["size"][0] for node in nodes.values()) + GAP
    subgraph = {
        "id": _id(name),
        "version": 1,
        "state": {"lastGroupId": 0, "lastNodeId": max(nodes), "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": name,
        "inputNode": {"id": INPUT, "bounding": [left, 0, WIDTH, ROW * (len(inputs) + 2)]},
        "outputNode": {"id": OUTPUT, "bounding": [right, 0, WIDTH, ROW * (len(outputs) + 2)]},
        "inputs": inputs,
        "outputs": outputs,
        "widgets": [],
        "nodes": list(nodes.values()),
        "groups": [],
        "links": links,
        "extra": {},
        "category": CATEGORY,
        "description": wanted["description"],
    }
    return {
        "id": _id(f"{name} workflow"),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [_node(name, inputs, outputs, boundary.widgets)],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [subgraph]},
        "config": {},
        "extra": {},
        "version": 0.4,
    }


class _Boundary:
    """Links from the subgraph's inputs to its nodes, and from these to its outputs."""

    def __init__(self, name: str, nodes: Mapping[int, dict[str, Any]], links: list[dict[str, Any]]) -> None:
        self.name, self.nodes, self.links = name, nodes, links
        self.count = {INPUT: 0, OUTPUT: 0}
        self.widgets: set[str] = set()

    def input(self, id_: int, name: str) -> dict[str, Any]:
        slot, socket = _slot(self.nodes[id_]["inputs"], name)
        if "widget" in socket:
            self.widgets.add(name)
        socket["link"] = self._add(INPUT, self.count[INPUT], id_, slot, socket["type"])
        return self._told(INPUT, name, socket["type"])

    def output(self, id_: int, name: str) -> dict[str, Any]:
        slot, socket = _slot(self.nodes[id_]["outputs"], name)
        number = self._add(id_, slot, OUTPUT, self.count[OUTPUT], socket["type"])
        socket["links"] = [*(socket["links"] or ()), number]
        return self._told(OUTPUT, name, socket["type"])

    def _add(self, source: int, source_slot: int, target: int, target_slot: int, kind: str) -> int:
        number = max((link["id"] for link in self.links), default=0) + 1
        self.links.append(_link(number, source, source_slot, target, target_slot, kind))
        return number

    def _told(self, side: int, name: str, kind: str) -> dict[str, Any]:
        self.count[side] += 1
        return {"id": _id(f"{self.name} {side} {name}"), "name": name, "type": kind, "linkIds": [self.links[-1]["id"]]}


def _node(name: str, inputs: list[Any], outputs: list[Any], widgets: set[str]) -> dict[str, Any]:
    """The subgraph as a node; its widgets hold what its nodes hold."""
    shown = [
        {"name": each["name"], "type": each["type"], "link": None}
        | ({"widget": {"name": each["name"]}} if each["name"] in widgets else {})
        for each in inputs
    ]
    return {
        "id": 1,
        "type": _id(name),
        "pos": [0, 0],
        "size": [400, canvas.FRAME + canvas.WIDGET * len(inputs) + canvas.ROW * len(outputs)],
        "flags": {},
        "order": 0,
        "mode": 0,
        "title": name,
        "inputs": shown,
        "outputs": [{"name": each["name"], "type": each["type"], "links": None} for each in outputs],
        "properties": {"cnr_id": "musubi-nodes"},
        "widgets_values": [],
    }


def _link(number: int, source: int, source_slot: int, target: int, target_slot: int, kind: str) -> dict[str, Any]:
    ends = {"origin_id": source, "origin_slot": source_slot, "target_id": target, "target_slot": target_slot}
    return {"id": number, **ends, "type": kind}


def _unplug(nodes: Mapping[int, dict[str, Any]], kept: set[int]) -> None:
    """Forget the links to nodes that are left out."""
    for node in nodes.values():
        for socket in node["inputs"]:
            socket["link"] = socket["link"] if socket["link"] in kept else None
        for socket in node["outputs"]:
            socket["links"] = [link for link in socket["links"] or () if link in kept] or None


def _named(text: str) -> tuple[int, str]:
    id_, name = text.split(".")
    return int(id_), name


def _slot(sockets: list[dict[str, Any]], name: str) -> tuple[int, dict[str, Any]]:
    return next((number, each) for number, each in enumerate(sockets) if each["name"] == name)


def _id(name: str) -> str:
    """Always the same for a name: the page takes another for another blueprint."""
    return str(uuid5(NAMESPACE_URL, HOME + name))


def files() -> Iterator[tuple[Path, str]]:
    """The files as they are written."""
    for name in BLUEPRINTS:
        yield FOLDER / f"{name}.json", json.dumps(build(name), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in files():
        write_text(path, text)
