"""The core's own registrations, through the same hooks as everybody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from musubi_nodes import hookimpl
from musubi_nodes.families.node import Node
from musubi_nodes.nodes import NODES
from musubi_nodes.runs.process.executor import Executor, LocalProcess


@hookimpl
def musubi_register_nodes() -> Sequence[type[Node]]:
    """The core's own nodes, in the order of the menu."""
    return NODES


@hookimpl
def musubi_provide_executors() -> Iterable[Executor]:
    """A guarded process on this machine."""
    return [LocalProcess()]
