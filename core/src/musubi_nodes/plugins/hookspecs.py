"""The hooks. A plugin is a module (or object) with functions marked ``@musubi_nodes.hookimpl``; see docs/plugins.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pluggy

from musubi_nodes.families.family import Family
from musubi_nodes.families.node import Node
from musubi_nodes.runs.explain import Explanation, Failure
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.executor import Executor

hookspec = pluggy.HookspecMarker("musubi_nodes")


@hookspec
def musubi_register_family() -> Family | Iterable[Family] | None:
    """Describe a model family: names, frame rule, defaults, how it spells a memory plan."""


@hookspec
def musubi_register_nodes() -> Sequence[type[Node]]:  # type: ignore[empty-body]
    """The plugin's nodes, in the order of the menu."""


@hookspec
def musubi_explain_error(failure: Failure) -> Explanation | None:
    """Say why a run failed and what to do, or ``None``.

    The plugin of the script's own family is asked first; the first answer wins.
    """


@hookspec
def musubi_provide_installs() -> Iterable[Install]:  # type: ignore[empty-body]
    """Installs that the plugin brings along. They are used only when chosen by name."""


@hookspec
def musubi_provide_executors() -> Iterable[Executor]:  # type: ignore[empty-body]
    """Places where commands can run. The configuration chooses one by name."""
