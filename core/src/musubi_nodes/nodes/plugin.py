"""Hooks of the core's own plugin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families.node import Node
from musubi_nodes.nodes import NODES
from musubi_nodes.runs.process.executor import Executor, LocalProcess


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """Return the core's nodes in menu order."""
    return NODES


@hookimpl
def musubi_provide_executors() -> Iterable[Executor]:
    """Return the local executor."""
    return [LocalProcess()]
