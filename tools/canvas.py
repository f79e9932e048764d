"""Builds the canvas files of example_workflows: ``python -m tools.canvas``.

What runs comes from the API file of the same name, widgets and sockets from the declarations of the nodes, and where
things stand from layouts.toml. A test refuses a canvas file that differs from what this makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from musubi_nodes.families import Node
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.files import write_text
from musubi_nodes.hosts.terminal.foreign import FOREIGN
from musubi_nodes.plugins.manager import plugins

EXAMPLES = Path(__file__).resolve().parents[1] / "example_workflows"
LAYOUTS = tomli.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))

FOREIGN_TYPES = {"image": "COMBO", "upload": "IMAGEUPLOAD"}
FOREIGN_VALUES = {"upload": "image"}
"""Widgets of LoadImage, the one node of ComfyUI's own in the examples, where the canvas has more than the terminal."""

TYPES = {"bool": "BOOLEAN", "int": "INT", "float": "FLOAT", "string": "STRING"}
"""Kind of a field -> type of its widget; all others are combos."""
COLORS = {"blue": "#3f789e", "green": "#88aa88", "brown": "#b58b2a", "orange": "#b06634"}

ROW, WIDGET, TEXT, FRAME = 20, 24, 54, 14
"""Heights on the canvas (frontend 1.27.10): a row of sockets, a widget, a text of several lines, what a node adds."""
VUE, VUE_WIDGET = 56, 3.5
"""How much higher a Vue node is (frontend 1.58.1): badge and button of the advanced widgets, and each widget."""
TITLE, BADGE, MARGIN, GROUP_TITLE, GAP = 30, 26, 20, 30, 20
"""A node's title and the badge above it, the space around nodes in a group, the group's title, between groups."""
LANE = 20
"""Height of a lane between two groups, in which a wire passes a column, or goes back to its left side."""


@dataclass
class Placed:
    """A node with its place; ``pos`` is below its title, as the canvas counts."""

    id: str
    entry: Mapping[str, Any]
    node: type[Node]
    pos: tuple[int, int]
    size: tuple[int, int]


@dataclass
class Drawing:
    """The parts of a canvas file."""

    placed: dict[str, Placed] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    lanes: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)


def sockets(node: type[Node]) -> list[FieldSpec]:
    """The sockets as the canvas orders them: needed ones first."""
    return sorted((s for s in node.fields() if s.kind == "socket"), key=lambda s: not s.required)


def widgets(node: type[Node]) -> list[FieldSpec]:
    """The widgets in their order."""
    return [spec for spec in node.fields() if spec.kind != "socket"]


def values(placed: Placed) -> list[Any]:
    """The widgets' values; a seed is followed by the canvas's own widget."""
    found: list[Any] = []
    for spec in widgets(placed.node):
        default = FOREIGN_VALUES.get(spec.name, spec.to_widget(spec.default))
        found.append(placed.entry["inputs"].get(spec.name, default))
        found += ["fixed"] if spec.widget.seed else []
    return found


def height(node: type[Node]) -> int:
    """The least height of a node whose advanced widgets are hidden."""
    rows = max(len(sockets(node)), len(node.outputs()))
    shown = [spec for spec in widgets(node) if not spec.widget.advanced]
    return FRAME + rows * ROW + sum((TEXT if s.widget.multiline else WIDGET) + WIDGET * s.widget.seed for s in shown)


def higher(node: type[Node]) -> int:
    """What a Vue node needs below its classic height."""
    return round(VUE + VUE_WIDGET * sum(not spec.widget.advanced for spec in widgets(node)))


def build(name: str) -> dict[str, Any]:
    """The canvas file of an API file. It has no id, so that the page makes one each time that it is opened: a run is
    shown in the workflow that started it, not in the next user's copy of the example."""
    api = json.loads((EXAMPLES / "api" / f"{name}.json").read_text("utf-8"))
    workflow = LAYOUTS["workflows"][name]
    drawing = _draw(api, LAYOUTS["layouts"][workflow["layout"]], workflow["note"])
    if missing := api.keys() ^ drawing.placed.keys():
        raise ValueError(f"{name}: layout {workflow['layout']} and API file differ in node {', '.join(missing)}")
    links, ends = _links(drawing)
    extra = {"ds": {"scale": 0.6, "offset": [60, 80]}, **_reroutes(drawing, ends)}
    return {
        "revision": 0,
        "last_node_id": len(api) + 1,
        "last_link_id": len(links),
        "nodes": [*(_node(each, links, n) for n, each in enumerate(drawing.placed.values())), _note(drawing)],
        "links": links,
        "groups": [{"id": n, **group} for n, group in enumerate(drawing.groups, 1)],
        "config": {},
        "extra": extra,
        "version": 0.4,
    }


def _draw(api: Mapping[str, Any], columns: Iterable[Mapping[str, Any]], note: str) -> Drawing:
    known = {node.id: node for node in plugins().nodes} | FOREIGN
    drawing, x = Drawing(), 0
    for column in columns:
        y = column.get("top", 0)
        if "note" in column:
            size = [column["width"] + 2 * MARGIN, column["note"]]
            drawing.note = {"pos": [x, y + TITLE], "size": size, "widgets_values": [note]}
            y += TITLE + column["note"] + GAP
        for group in column.get("groups", ()):
            top, y = y, y + GROUP_TITLE
            for id_ in group["nodes"]:
                y += BADGE + TITLE
                node = known[api[id_]["class_type"]]
                size = (column["width"], height(node) + group.get("more", 0))
                drawing.placed[id_] = Placed(id_, api[id_], node, (x + MARGIN, y), size)
                y += size[1] + higher(node) + group.get("room", 0)
            y += MARGIN
            box = [x, top, column["width"] + 2 * MARGIN, y - top]
            drawing.groups.append({"title": group["title"], "bounding": box, "color": COLORS[group["color"]],
                                   "font_size": 24, "flags": {}})  # fmt: skip
            for wire in group.get("lanes", ()):
                y += LANE
                bends = [(x - GAP, y), (x + box[2] + GAP, y)]
                drawing.lanes.setdefault(wire, []).extend(
                    bends[::-1] if wire.split(">")[0] in group["nodes"] else bends
                )
            y += GAP
        x += column["width"] + 2 * MARGIN + column.get("gap", 60)
    return drawing


def _links(drawing: Drawing) -> tuple[list[list[Any]], dict[str, int]]:
    """The links as the canvas saves them, and the number of the link of each ``source>target``."""
    links: list[list[Any]] = []
    ends: dict[str, int] = {}
    for target in drawing.placed.values():
        for slot, spec in enumerate(sockets(target.node)):
            if spec.name in target.entry["inputs"]:
                source, number = target.entry["inputs"][spec.name]
                kind = drawing.placed[source].node.outputs()[number].socket
                links.append([len(links) + 1, int(source), number, int(target.id), slot, kind])
                ends[f"{source}>{target.id}"] = len(links)
    return links, ends


def _reroutes(drawing: Drawing, ends: Mapping[str, int]) -> dict[str, Any]:
    """The bends of the wires that go through a lane: one before and one behind the column."""
    reroutes: list[dict[str, Any]] = []
    extensions = []
    for wire, bends in drawing.lanes.items():
        for number, pos in enumerate(bends):
            parent = {"parentId": len(reroutes)} if number else {}
            reroutes.append({"id": len(reroutes) + 1, **parent, "pos": list(pos), "linkIds": [ends[wire]]})
        extensions.append({"id": ends[wire], "parentId": len(reroutes)})
    return {"linkExtensions": extensions, "reroutes": reroutes} if reroutes else {}


def _node(placed: Placed, links: Iterable[list[Any]], order: int) -> dict[str, Any]:
    own = placed.node.id not in FOREIGN
    incoming = {link[4]: link[0] for link in links if link[3] == int(placed.id)}
    inputs: list[dict[str, Any]] = []
    for slot, spec in enumerate(sockets(placed.node)):
        shape = {} if spec.required else {"shape": 7}
        inputs.append({"name": spec.name, **shape, "type": spec.socket, "link": incoming.get(slot)})
    for spec in widgets(placed.node):
        kind = {"shape": 7, "type": TYPES.get(spec.kind, "COMBO")} if own else {"type": FOREIGN_TYPES[spec.name]}
        inputs.append({"name": spec.name, **kind, "widget": {"name": spec.name}, "link": None})
    outputs = [
        {
            "name": spec.name if own else spec.socket,
            "type": spec.wire,
            "links": _outgoing(placed, number, links),
        }
        for number, spec in enumerate(placed.node.outputs())
    ]
    return {
        "id": int(placed.id),
        "type": placed.node.id,
        "pos": list(placed.pos),
        "size": list(placed.size),
        "flags": {},
        "order": order,
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "properties": {
            "cnr_id": "musubi-nodes" if own else "comfy-core",
            "Node name for S&R": placed.node.id,
            **_downloads(placed),
        },
        "widgets_values": values(placed),
    }


def _downloads(placed: Placed) -> dict[str, Any]:
    """What the page offers to download where the node names a file that is not there; its own files come first."""
    known = {
        (spec.model_kind, file.name): file
        for node in (*plugins().nodes, placed.node)
        for spec in node.fields()
        for file in spec.downloads
    }
    named = [(spec.model_kind, placed.entry["inputs"].get(spec.name)) for spec in widgets(placed.node)]
    files = [(folder, known[folder, name]) for folder, name in named if (folder, name) in known]
    found = [{"name": file.name, "url": file.url, "directory": folder} for folder, file in files]
    return {"models": found} if found else {}


def _outgoing(placed: Placed, number: int, links: Iterable[list[Any]]) -> list[int] | None:
    return [link[0] for link in links if link[1] == int(placed.id) and link[2] == number] or None


def _note(drawing: Drawing) -> dict[str, Any]:
    number = len(drawing.placed) + 1
    return {
        "id": number,
        "type": "MarkdownNote",
        **drawing.note,
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "title": "Read me",
        "properties": {},
        "color": "#432",
        "bgcolor": "#653",
    }


def text(name: str) -> str:
    """The canvas file as it is written."""
    return json.dumps(build(name), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for each in LAYOUTS["workflows"]:
        write_text(EXAMPLES / f"{each}.json", text(each))
