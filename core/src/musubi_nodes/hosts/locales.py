"""The files of ``locales/<language>`` as ComfyUI reads them: names, tooltips and menu groups of all nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.texts import Texts

SETTINGS = {
    "musubi_notify": (
        "Notify when a run of over a minute ends",
        "A notification of the browser: which node, how it ended, and how long it took.",
    )
}
"""Name and tooltip of each setting in web/js; the page looks them up by the setting's id with "_" for "."."""


def locale_files(nodes: Iterable[type[Node]], texts: Texts) -> dict[str, Any]:
    """File name -> content (``build_translations`` of app/custom_node_manager.py, ComfyUI 0.3.64)."""
    nodes = list(nodes)
    return {
        "nodeDefs.json": {node.id: node_texts(node, texts) for node in nodes},
        "main.json": {
            "nodeCategories": categories(nodes, texts),
            "settingsCategories": {"Training": texts.of()("Training")},
        },
        "settings.json": {id_: setting_texts(name, tooltip, texts) for id_, (name, tooltip) in SETTINGS.items()},
    }


def setting_texts(name: str, tooltip: str, texts: Texts) -> dict[str, str]:
    """A setting of the page."""
    return {"name": texts.of()(name), "tooltip": texts.of()(tooltip)}


def categories(nodes: Iterable[type[Node]], texts: Texts) -> dict[str, str]:
    """The parts of the menu; the page translates each part by itself (``getNodeDefs``, frontend 1.27.10)."""
    return {part: texts.of(node)(part) for node in nodes for part in node.category.split("/")}


def node_texts(node: type[Node], texts: Texts) -> dict[str, Any]:
    """Title, description, and what each input and output means; outputs go by their number."""
    translate = texts.of(node)

    def slot(spec: FieldSpec, named: bool) -> dict[str, str]:
        return {"name": texts.label(node, spec.name) if named else spec.name, "tooltip": translate(spec.description)}

    return {
        "display_name": translate(node.title),
        "description": translate(node.description()),
        "inputs": {spec.name: slot(spec, spec.kind == "socket") for spec in node.fields()},
        "outputs": {str(number): slot(spec, True) for number, spec in enumerate(node.outputs())},
    }
