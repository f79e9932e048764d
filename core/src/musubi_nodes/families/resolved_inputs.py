"""Upstream values that follow from widgets alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from musubi_nodes.commands.option import marker
from musubi_nodes.errors import MusubiError, Unresolved
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Native
from musubi_nodes.families.node import Node

DEEPEST = 200


class ResolvedInputs:
    """Known inputs; any other raises :class:`Unresolved`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        raise Unresolved(name)


def resolved_inputs(node: type[Node], values: Mapping[str, Any], linked: Set[str], **others: Any) -> ResolvedInputs:
    """Return inputs with defaults for unlinked sockets and ``others``."""
    unlinked = {
        spec.name: spec.default
        for spec in node.fields()
        if spec.kind == "socket" and not spec.required and spec.name not in linked
    }
    given = {name: value for name, value in values.items() if name not in linked or name in node.resolved_sockets}
    return ResolvedInputs(unlinked | given | others)


def upstream_values(
    node: type[Node], node_id: str, workflow: Any, nodes: Iterable[type[Node]], context: Context
) -> dict[str, Any]:
    """Return known values of the node's :attr:`~Node.resolved_sockets`."""
    entry = workflow.get(node_id) if isinstance(workflow, Mapping) else None
    if not node.resolved_sockets or not isinstance(entry, Mapping) or entry.get("class_type") != node.id:
        return {}
    look = _Look(workflow, {each.id: each for each in nodes}, replace(context, preflight=True))
    found = {}
    for name, value in entry.get("inputs", {}).items():
        if name in node.resolved_sockets and _is_link(value):
            with suppress(Unresolved):
                found[name] = look.through(value)
    return found


@dataclass(frozen=True)
class _Look:
    workflow: Mapping[str, Any]
    nodes: Mapping[str, type[Node]]
    context: Context
    made: dict[str, BaseModel] = field(default_factory=dict)

    def through(self, link: list[Any], depth: int = 0) -> Any:
        source, number = str(link[0]), link[1]
        entry = self.workflow.get(source) or {}
        node = self.nodes.get(entry.get("class_type", ""))
        if node is None or not node.resolves_statically or depth > DEEPEST or number not in range(len(node.outputs())):
            raise Unresolved(source)
        if source not in self.made:
            self.made[source] = self._outputs(node, entry.get("inputs", {}), depth)
        return getattr(self.made[source], node.outputs()[number].name)

    def _outputs(self, node: type[Node], inputs: Mapping[str, Any], depth: int) -> BaseModel:
        media = {name for name, declared in node.Inputs.model_fields.items() if marker(declared, Native)}
        values = {
            name: self.through(value, depth + 1) if _is_link(value) else value
            for name, value in inputs.items()
            if not (name in media and _is_link(value))
        }
        try:
            return node().run(node.parse(values), self.context)
        except MusubiError:
            raise Unresolved(node.id) from None  # the node itself tells what is wrong with it


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)
