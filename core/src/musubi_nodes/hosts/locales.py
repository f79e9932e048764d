"""Content of ComfyUI's ``locales/<language>`` files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.texts import Texts

SETTINGS = {
    "musubi_notify": (
        "Notify when a run of over a minute ends",
        "A browser notification: which node, how it ended, and how long it took.",
    )
}
"""Name and tooltip of web/js settings; "_" in an id stands for "."."""


def locale_files(nodes: Iterable[type[Node]], texts: Texts) -> dict[str, Any]:
    """Return content by file name.

    The format is that of ``build_translations`` (app/custom_node_manager.py, ComfyUI 0.3.64).
    """
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
    return {"name": texts.of()(name), "tooltip": texts.of()(tooltip)}


def categories(nodes: Iterable[type[Node]], texts: Texts) -> dict[str, str]:
    """Translate menu levels one by one (``getNodeDefs``, frontend 1.27.10)."""
    return {part: texts.of(node)(part) for node in nodes for part in node.category.split("/")}


def node_texts(node: type[Node], texts: Texts) -> dict[str, Any]:
    translate = texts.of(node)

    def slot(spec: FieldSpec, named: bool) -> dict[str, str]:
        return {"name": texts.label(node, spec.name) if named else spec.name, "tooltip": translate(spec.description)}

    return {
        "display_name": translate(node.title),
        "description": translate(node.description()),
        "inputs": {spec.name: slot(spec, spec.kind == "socket") for spec in node.fields()},
        "outputs": {str(number): slot(spec, True) for number, spec in enumerate(node.outputs())},
    }
