"""Hook specifications; see docs/plugins.md."""

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
    """Return model families: names, frame rule, defaults, options."""


@hookspec
def musubi_register_nodes() -> Sequence[type[Node]]:  # type: ignore[empty-body]
    """Return node classes in menu order."""


@hookspec
def musubi_explain_error(failure: Failure) -> Explanation | None:
    """Explain why a run failed, or return ``None``.

    The plugin of the script's family is asked first; the first answer wins.
    """


@hookspec
def musubi_provide_installs() -> Iterable[Install]:  # type: ignore[empty-body]
    """Return installs; they are used only when chosen by name."""


@hookspec
def musubi_provide_executors() -> Iterable[Executor]:  # type: ignore[empty-body]
    """Return executors; the configuration chooses one by name."""
